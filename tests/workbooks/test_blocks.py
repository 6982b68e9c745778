"""A list's people by the hundred: what goes into a block comes out of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from campaigns.workbooks.blocks import PEOPLE, Block, BlockWriter, Opened, people_in
from campaigns.workbooks.results import Columns, ReadRow

COLUMNS = Columns(("邮箱", "姓名", "城市 100%", "备注"), 0, 1)


def blocks_of(rows: list[ReadRow], columns: Columns = COLUMNS) -> list[Block]:
    made: list[Block] = []
    writer = BlockWriter(made.append)
    take = writer.begin(columns)
    for row in rows:
        take(row)
    writer.flush()
    return made


def a_row(number: int, part: int = 1, **more: str) -> ReadRow:
    email = f"c{number}.{part}@example.com"
    return ReadRow(number, part, email, f"人{number}", (email, f"人{number}", "杭州", ""))


def opened(rows: list[ReadRow], columns: Columns = COLUMNS) -> list[ReadRow]:
    return [
        row for block in blocks_of(rows, columns) for row in Opened(block.content).rows(columns)
    ]


CELL = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.lists(st.tuples(CELL, CELL, CELL, CELL), max_size=5), st.sampled_from([0, None]))
def test_whatever_the_cells_show_comes_out_as_it_was(
    cells: list[tuple[str | None, ...]], name: int | None
) -> None:
    columns = Columns(("邮箱", "姓名", "a\"%s'\\", "备注"), 0, 1 if name is not None else None)
    rows = [
        ReadRow(number, 1, "A@x.cn", "甲" if name is not None else "", shown)
        for number, shown in enumerate(cells, 2)
    ]
    assert opened(rows, columns) == rows


def test_a_line_is_address_key_name_and_attributes_with_tabs_between_them() -> None:
    (block,) = blocks_of([ReadRow(2, 1, "A@x.cn", "甲\t乙\n", ("A@x.cn", "甲\t乙\n", None, '"\0'))])
    assert Opened(block.content).lines == 'A@x.cn\ta@x.cn\t甲 乙\t{"备注":"\\""}\n'.encode()
    assert (block.number, block.people, block.keys) == (2, 1, b"\na@x.cn\n")


def test_a_row_with_several_addresses_is_in_one_block() -> None:
    rows = [a_row(number) for number in range(2, PEOPLE + 1)]
    rows += [a_row(PEOPLE + 1, part) for part in (1, 2, 3)]
    rows += [a_row(PEOPLE + 2)]
    assert [(one.number, one.people) for one in blocks_of(rows)] == [(2, 102), (102, 1)]
    assert opened(rows) == rows


def test_who_is_left_out_leaves_nothing_behind() -> None:
    rows = [a_row(2), a_row(3, 2), a_row(4)]
    content = Opened(blocks_of(rows)[0].content)
    keys, left = content.with_people([content.people[0], None, content.people[2]])
    assert keys == b"\nc2.1@example.com\nc4.1@example.com\n"
    assert list(Opened(left).rows(COLUMNS)) == [rows[0], rows[2]]
    assert b"c3" not in left
    assert people_in(Opened(left).lines) == [content.people[0], content.people[2]]

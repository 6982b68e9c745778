"""Random layouts written by openpyxl are read back whole."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from campaigns.workbooks import read

#: What no header word, total word or signature can be made of.
WORDS = st.text("甲乙丙丁戊己庚辛abcXYZ-_ .'\"<>&{}=+", min_size=1, max_size=12).filter(
    lambda text: text == text.strip()
)
MONEY = st.integers(-(10**8), 10**8).map(lambda cents: cents / 100)
VALUES = st.one_of(WORDS, MONEY, st.integers(0, 10**14), st.booleans(), st.none())


def shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)


@st.composite
def layouts(
    draw: st.DrawFn,
) -> tuple[Workbook, dict[int, tuple[str, list[object]]], list[str], int]:
    """A sheet with title rows, 1 to 3 header levels, blank rows, repeated headers and a total."""
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    fields = draw(st.integers(1, 6))
    levels = draw(st.integers(1, 3))
    titles = draw(st.integers(0, 2))
    for _ in range(titles):
        sheet.append(["某某公司2026年10月工资发放表"])
    top = titles + 1
    leaves = [f"项目{i}" for i in range(fields)]
    for level in range(levels - 1):
        sheet.append(
            ["姓名", "邮箱", f"大类{level}"] if level == 0 else [None, None, f"中类{level}"]
        )
        if fields > 1:
            sheet.merge_cells(
                start_row=top + level, end_row=top + level, start_column=3, end_column=2 + fields
            )
    sheet.append(["姓名" if levels == 1 else None, "邮箱" if levels == 1 else None, *leaves])
    if levels > 1:
        for column in (1, 2):
            sheet.merge_cells(
                start_row=top, end_row=top + levels - 1, start_column=column, end_column=column
            )
    people: dict[int, tuple[str, list[object]]] = {}
    row = top + levels
    for number in range(draw(st.integers(1, 6))):
        row += draw(st.integers(0, 1))
        values = [draw(VALUES) for _ in range(fields)]
        people[row] = (f"p{number}@example.com", values)
        for column, value in enumerate([f"人{number}", f"p{number}@example.com", *values], start=1):
            cell = sheet.cell(row, column, value)
            if isinstance(value, float):
                cell.number_format = "0.00"
            if isinstance(value, str):
                cell.data_type = "s"
        row += 1
    if draw(st.booleans()):
        sheet.cell(row, 1, "合计")
        sheet.cell(row, 3, 1)
    parents = [f"大类{n}" if n == 0 else f"中类{n}" for n in range(levels - 1)]
    return workbook, people, ["/".join([*parents, leaf]) for leaf in leaves], top


@settings(max_examples=60, deadline=None)
@given(layouts())
def test_every_person_and_value_comes_back(
    layout: tuple[Workbook, dict[int, tuple[str, list[object]]], list[str], int],
) -> None:
    workbook, people, names, top = layout
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.xlsx"
        workbook.save(path)
        reading = read(path)
    assert reading.header_rows is not None
    assert reading.header_rows[0] == top
    assert reading.columns[:2] == ["姓名", "邮箱"]
    assert reading.columns[2:] == names
    got = {r["row"]: (r["email"], list(r["fields"].values())) for r in reading.recipients}
    assert got == {
        row: (email, [shown(v) for v in values]) for row, (email, values) in people.items()
    }

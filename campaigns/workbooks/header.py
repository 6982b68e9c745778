"""Finds a sheet's header: which one to four rows it is, what each column is called, what is what.

The row that names the mailbox column is the anchor; without such a name the column that holds
addresses is. From the anchor the block grows over merged cells and over rows that fill its gaps.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from campaigns.workbooks import words
from campaigns.workbooks.addresses import clean
from campaigns.workbooks.grid import Merge, Sheet, SheetRow
from campaigns.workbooks.problems import column_letter
from campaigns.workbooks.results import Choices
from campaigns.workbooks.words import OWN_COLUMN

_SEARCHED_ROWS = 60
_COUNTED_ROWS = 400
_MAX_LEVELS = 4
_MAX_ANCHORS = 5


@dataclass(frozen=True, slots=True)
class Header:
    """`rows` are Excel's numbers, empty if the sheet has no header; `indexes` the sheet's columns.

    `names[i]` belongs to `indexes[i]`; `address` and `name` are sheet columns (0-based) or None.
    """

    rows: tuple[int, ...]
    indexes: tuple[int, ...]
    names: tuple[str, ...]
    address: int | None
    name: int | None

    @property
    def first_data_row(self) -> int:
        return self.rows[-1] + 1 if self.rows else 1


class HeaderFinder:
    """Looks at the visible part of one sheet."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._top = [
            r for r in sheet.rows[: _SEARCHED_ROWS * 2] if not r.hidden and not r.is_blank()
        ]
        self._top = self._top[:_SEARCHED_ROWS]
        ours = {
            c for r in self._top for c, text in enumerate(r.texts) if text.startswith(OWN_COLUMN)
        }
        left_out = sheet.hidden_columns | ours
        self._columns = [c for c in range(sheet.width()) if c not in left_out]

    def find(self, choices: Choices) -> Header | None:
        """None if the sheet has neither a header nor an address."""
        if choices.header_rows:
            block = list(range(choices.header_rows[0], choices.header_rows[1] + 1))
            return self._describe(block, self._address_column(block), choices)
        anchor = self._anchor_by_name() or self._anchor_by_content()
        if anchor is None:
            return None
        number, address = anchor
        block = self._grow(number, address) if number else []
        return self._describe(block, address, choices)

    def _anchor_by_name(self) -> tuple[int, int | None] | None:
        """The row that says 邮箱 above addresses; of several the one with most names of columns."""
        found: list[tuple[bool, int, int]] = []
        for at, row in enumerate(self._top):
            filled = [c for c in self._columns if row.text(c).strip()]
            named = [c for c in filled if words.is_address_header(row.text(c))]
            if not named or any(clean(row.text(c)).emails for c in filled):
                continue
            below = self._top[at + 1] if at + 1 < len(self._top) else None
            alone = len(filled) == 1 and (below is None or not clean(below.text(named[0])).emails)
            if not alone or self._in_vertical_merge(row.number, named[0]):
                counts = self._address_counts(row.number)
                known = sum(words.is_header_word(row.text(c)) for c in filled)
                found.append((any(counts[c] for c in named), known, -row.number))
            if len(found) >= _MAX_ANCHORS:
                break
        if not found:
            return None
        number = -max(found)[2]
        return number, self._address_column([number])

    def _in_vertical_merge(self, row: int, column: int) -> bool:
        return any(
            m.top <= row <= m.bottom and m.left == column and m.bottom > m.top
            for m in self._sheet.merges
        )

    def _anchor_by_content(self) -> tuple[int, int | None] | None:
        """The header above the column that holds addresses; (0, column) if there is none above."""
        counts = self._address_counts(0)
        column = max(counts, key=lambda c: (counts[c], -c), default=None)
        named = [r for r in self._top if self._looks_like_header(r)]
        if column is None:
            return (named[0].number, None) if named else None
        first = next(r for r in self._top_and_rest() if clean(r.text(column)).emails)
        above = [r for r in self._top if r.number < first.number]
        better = [r for r in named if r.number < first.number]
        if better:
            return better[0].number, column
        if (
            above
            and self._is_all_text(above[-1])
            and self._filled(above[-1]) > (len(self._columns) > 1)
        ):
            return above[-1].number, column
        return 0, column

    def _top_and_rest(self) -> list[SheetRow]:
        return [r for r in self._sheet.rows if not r.hidden]

    def _looks_like_header(self, row: SheetRow) -> bool:
        texts = [row.text(c).strip() for c in self._columns if row.text(c).strip()]
        hits = sum(words.is_header_word(text) for text in texts)
        return len(texts) > 1 and self._is_all_text(row) and hits * 2 >= len(texts) and hits > 1

    def _is_all_text(self, row: SheetRow) -> bool:
        filled = [c for c in self._columns if row.text(c).strip()]
        return all(row.value(c) is None and len(row.text(c)) <= 60 for c in filled)

    def _filled(self, row: SheetRow) -> int:
        return sum(bool(row.text(c).strip()) for c in self._columns)

    def _address_counts(self, after: int) -> Counter[int]:
        """How many of the rows below hold a usable address, by column."""
        counts: Counter[int] = Counter()
        seen = 0
        for row in self._sheet.rows:
            if row.number <= after or row.hidden:
                continue
            seen += 1
            if seen > _COUNTED_ROWS:
                break
            for column in self._columns:
                text = row.text(column)
                link = self._sheet.links.get((row.number, column))
                if link or (("@" in text or "＠" in text) and clean(text).emails):
                    counts[column] += 1
        return counts

    def _address_column(self, block: list[int]) -> int | None:
        named = [
            c
            for c in self._columns
            if any(words.is_address_header(self._sheet.text(row, c)) for row in block)
        ]
        counts = self._address_counts(block[-1])

        def rank(column: int) -> tuple[bool, bool, bool, int, int]:
            levels = [self._sheet.text(row, column) for row in block]
            plain = any(words.is_plain_address_header(level) for level in levels)
            second = words.is_second_address("/".join(levels))
            return counts[column] > 0, not second, plain, counts[column], -column

        best = max(named, key=rank, default=None)
        if best is None or not counts[best]:
            return max(counts, key=lambda c: (counts[c], -c), default=best)
        return best

    def _grow(self, anchor: int, address: int | None) -> list[int]:
        block = [anchor]
        visible = {row.number: row for row in self._top}
        while len(block) < _MAX_LEVELS:
            number = block[-1] + 1
            row = visible.get(number)
            if row is None and not self._merged_across(block[0], number):
                break
            if row is not None and not self._continues_below(block, row, address):
                break
            block.append(number)
        while len(block) < _MAX_LEVELS and (row := visible.get(block[0] - 1)):
            if not self._is_parent_of(row, block):
                break
            block.insert(0, row.number)
        return block

    def _continues_below(self, block: list[int], row: SheetRow, address: int | None) -> bool:
        if self._merged_across(block[0], row.number) and self._is_all_text(row):
            return True
        if address is not None and row.text(address).strip():
            return False
        filled = [c for c in self._columns if row.text(c).strip()]
        last = self._sheet.row(block[-1])
        if last is None or not self._is_all_text(row) or not filled:
            return False
        if any(words.row_kind(row.text(c)) in ("note", "signature") for c in filled):
            return False
        spans = {c for m in self._spans(last.number) for c in range(m.left, m.right + 1)}
        gaps = {c for c in self._columns if not last.text(c).strip()}
        if spans:
            return all(c in spans for c in filled)
        under_parent = {c for c in filled if c in gaps or (c + 1 in gaps and c + 1 in filled)}
        return bool(gaps & set(filled)) and under_parent == set(filled) and len(filled) > 1

    def _merged_across(self, top: int, row: int) -> bool:
        return any(
            m.top < row <= m.bottom and m.bottom - m.top < _MAX_LEVELS and m.top >= top
            for m in self._sheet.merges
        )

    def _spans(self, row: int) -> list[Merge]:
        return [m for m in self._sheet.merges if m.top <= row <= m.bottom and m.right > m.left]

    def _is_parent_of(self, row: SheetRow, block: list[int]) -> bool:
        filled = [c for c in self._columns if row.text(c).strip()]
        if not filled or any(words.is_meta(row.text(c)) for c in filled):
            return False
        if not self._is_all_text(row) or any(words.row_kind(row.text(c)) == "note" for c in filled):
            return False
        if any(m.top <= row.number < block[0] <= m.bottom for m in self._sheet.merges):
            return True
        used = [c for c in self._columns if any(self._sheet.text(n, c).strip() for n in block)]
        spans = self._spans(row.number)
        if spans:
            widest = max(m.right - m.left + 1 for m in spans)
            title = len(filled) == 1 and (
                filled[0] == self._columns[0] or widest >= len(used) * 0.8
            )
            return not title and widest < len(used)
        top = self._sheet.row(block[0])
        fills = [c for c in filled if top is not None and not top.text(c).strip()]
        if fills:
            return len(filled) > 1
        parents = [c for c in filled if words.is_parent_word(row.text(c))]
        return len(filled) > 1 and len(parents) == len(filled) and filled[0] != used[0]

    def _describe(self, block: list[int], address: int | None, choices: Choices) -> Header:
        first = block[-1] + 1 if block else 1
        titles = {c: self._title(block, c) for c in self._columns}
        used = self._used([c for c in self._columns if not titles[c]], first)
        indexes = tuple(c for c in self._columns if titles[c] or c in used)
        names = _unique([titles[c] or f"列{column_letter(c)}" for c in indexes])
        header = Header(tuple(block), indexes, names, address, None)
        header = replace(header, name=_best_name(header))
        return _corrected(header, choices)

    def _used(self, columns: list[int], first: int) -> set[int]:
        """Those of the columns that hold anything from a row on."""
        used = {c for (number, c) in self._sheet.flaws if number >= first}
        waiting = set(columns) - used
        for row in self._sheet.rows:
            if not waiting:
                break
            if row.number >= first and not row.hidden:
                waiting.difference_update(c for c, text in enumerate(row.texts) if text)
        return set(columns) - waiting

    def _title(self, block: list[int], column: int) -> str:
        levels: list[str] = []
        for number in block:
            row = self._sheet.row(number)
            if row is not None and row.hidden:
                continue
            text = words.tidy(self._level(block, number, column))
            if text and (not levels or levels[-1] != text):
                levels.append(text)
        return "/".join(levels)

    def _level(self, block: list[int], row: int, column: int) -> str:
        """A cell of the header; of a merge, its first one; beside an unmerged parent, the parent."""
        text = self._sheet.text(row, column)
        if text.strip():
            return text
        for m in self._sheet.merges:
            if m.top <= row <= m.bottom and m.left <= column <= m.right:
                return self._sheet.text(m.top, m.left)
        below = [self._sheet.text(n, column) for n in block if n > row]
        if (
            self._spans(row)
            or not any(below)
            or any(self._sheet.text(n, column) for n in block if n < row)
        ):
            return ""
        for left in range(column - 1, -1, -1):
            if self._sheet.text(row, left).strip():
                has_leaf = any(self._sheet.text(n, left) for n in block if n > row)
                return self._sheet.text(row, left) if has_leaf else ""
        return ""


def _unique(names: list[str]) -> tuple[str, ...]:
    taken: set[str] = set()
    result = []
    for name in names:
        number, candidate = 1, name
        while candidate in taken:
            number += 1
            candidate = f"{name} ({number})"
        taken.add(candidate)
        result.append(candidate)
    return tuple(result)


def _best_name(header: Header) -> int | None:
    ranked = [
        (rank, column)
        for column, name in zip(header.indexes, header.names, strict=True)
        if (rank := words.name_rank(name)) is not None and column != header.address
    ]
    return min(ranked)[1] if ranked else None


def _corrected(header: Header, choices: Choices) -> Header:
    """The user's own columns, given as indexes into `names`."""
    if choices.address_column is not None and choices.address_column < len(header.indexes):
        header = replace(header, address=header.indexes[choices.address_column])
    if choices.name_column is not None and choices.name_column < len(header.indexes):
        header = replace(header, name=header.indexes[choices.name_column])
    return header

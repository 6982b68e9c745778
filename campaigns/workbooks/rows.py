"""Which rows below the header are people and which are totals, notes, signatures, repeated headers."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Container
from decimal import Decimal

from campaigns.workbooks import words
from campaigns.workbooks.addresses import Cleaned
from campaigns.workbooks.grid import Sheet, SheetRow, number_in
from campaigns.workbooks.header import Header
from campaigns.workbooks.results import ColumnTotal


class RowSorter:
    """Says for each row below the header why it is no person's, or None if it is one's."""

    def __init__(
        self, sheet: Sheet, header: Header, addresses: Callable[[SheetRow], Cleaned]
    ) -> None:
        self._sheet = sheet
        self._header = header
        self._addresses = addresses
        #: By column, what any level of the header says there, without blanks.
        self._headings = {
            c: {words.compact(sheet.text(n, c)) for n in header.rows} - {""} for c in header.indexes
        }
        #: A header that is repeated differs in no more cells than this.
        self._few = len(header.indexes) // 5
        above = [r for r in sheet.rows if header.rows and r.number < header.rows[0]]
        self._titles = {words.compact(text) for r in above for text in r.texts} - {""}
        self._wide = {(m.top, m.left) for m in sheet.merges if m.right > m.left}

    def why_skipped(self, row: SheetRow) -> str | None:
        if self._is_plainly_a_person(row):
            return None
        filled = row.filled(self._header.indexes)
        if not filled:
            return None if self._flawed_person(row) else "total"
        if self._repeats_header(row, filled):
            return "repeated header"
        usable = bool(self._addresses(row).emails)
        kind = self._labelled(row, filled, usable)
        if kind or usable:
            return kind
        return self._unlabelled(row, filled)

    def _is_plainly_a_person(self, row: SheetRow) -> bool:
        """The most of all rows: a usable address, too much that is no header's, and no label."""
        return bool(self._addresses(row).emails) and self.is_no_label(row)

    def is_no_label(self, row: SheetRow) -> bool:
        """Of a row with a usable address: whether the rest of it is plainly a person's."""
        texts, width = row.texts, len(row.texts)
        different, first = 0, None
        for column in self._header.indexes:
            text = texts[column] if column < width else ""
            if not text or text.isspace():
                continue
            first = column if first is None else first
            headings = self._headings[column]
            if text not in headings and (text.isalnum() or words.compact(text) not in headings):
                different += 1  # letters and digits alone are compact
            if different > self._few:
                break
        else:
            return False
        name = self._header.name
        if name is not None and name != first and words.row_kind(row.text(name)):
            return False
        return first is None or not words.row_kind(row.text(first))

    def _flawed_person(self, row: SheetRow) -> bool:
        """A row of nothing but unreadable cells: a person's if address or name is one of them."""
        persons = (self._header.address, self._header.name)
        return any((row.number, column) in self._sheet.flaws for column in persons)

    def _repeats_header(self, row: SheetRow, filled: list[int]) -> bool:
        """Nearly every cell says what its column's header says, at whatever level."""
        different = 0
        for column in filled:
            different += words.compact(row.text(column)) not in self._headings[column]
            if different > len(filled) // 5:
                return False
        only = len(self._header.indexes) == 1 or filled[0] == self._header.address
        return len(filled) > 1 or only

    def _labelled(self, row: SheetRow, filled: list[int], usable: bool) -> str | None:
        """By a word in the row; beside a usable address only the first cell or the name counts."""
        looked_at = [c for c in filled if not usable or c in (filled[0], self._header.name)]
        for column in looked_at:
            kind = words.row_kind(row.text(column))
            if kind and row.value(column) is not None:
                continue
            if kind in ("total", "subtotal"):
                if not self._has_person(row, column):
                    return kind
            elif kind and column == filled[0] and (not usable or _ends_label(row.text(column))):
                return kind
        return None

    def _has_person(self, row: SheetRow, label: int) -> bool:
        """A name beside the word: then the word is the value of some other column."""
        name = self._header.name
        return (
            name is not None
            and name != label
            and bool(row.text(name).strip())
            and row.value(name) is None
            and words.row_kind(row.text(name)) is None
            and not words.compact(row.text(name)).endswith(("人", "名"))
        )

    def _unlabelled(self, row: SheetRow, filled: list[int]) -> str | None:
        name = self._header.name
        address = self._header.address
        if all(words.compact(row.text(c)) in self._titles for c in filled):
            return "title"
        if (
            name is not None
            and row.text(name).strip()
            and row.value(name) is None
            and len(filled) > 1
        ):
            return None
        if address is not None and row.text(address).strip() and len(filled) > 1:
            return None
        numeric = [c for c in filled if row.value(c) is not None]
        if len(filled) == 1:
            wide = (row.number, filled[0]) in self._wide
            if wide or (filled[0] != address and words.is_group_heading(row.text(filled[0]))):
                return "note"
            if name in filled or (address in filled and len(row.text(filled[0])) < 40):
                return None
            if not numeric:
                return "note"
            return "serial number only" if filled[0] == self._header.indexes[0] else "total"
        if len(numeric) == len(filled):
            return "total"
        return None if len(filled) > 2 or numeric else "note"


def _ends_label(text: str) -> bool:
    return ":" in text or "：" in text


class TotalChecker:
    """Adds up the numeric columns and compares them with the sheet's own total rows.

    A column is looked at when somebody asks for its sum: hardly any of a long list ever is.
    """

    def __init__(self, header: Header) -> None:
        self._columns = header.indexes
        self._rows: list[SheetRow] = []
        #: One more person's row.
        self.add = self._rows.append
        self._all = {c: array("d") for c in header.indexes}
        #: How many rows `_all` has of a column; a column that showed anything but numbers has no more.
        self._seen = dict.fromkeys(header.indexes, 0)
        self._not_numeric: set[int] = set()
        self._group_from = dict.fromkeys(header.indexes, 0)
        self._hidden: dict[int, float] = dict.fromkeys(header.indexes, 0.0)
        self._shown: dict[int, str] = {}

    def _numbers(self, column: int) -> array[float]:
        """What the rows so far have in a column; empty where that is not numbers alone."""
        values, seen = self._all[column], self._seen[column]
        if column in self._not_numeric:
            return array("d")
        self._seen[column] = len(self._rows)
        for row in self._rows[seen:] if seen else self._rows:
            numbers = row.numbers
            if numbers and column < len(numbers) and (number := numbers[column]) == number:
                values.append(number)
                continue
            text = row.text(column)
            value = number_in(text) if text else None
            if value is not None:
                values.append(value)
            elif text.strip() not in ("", "-", "—", "/"):
                self._not_numeric.add(column)
                return array("d")
        return values

    def add_hidden(self, row: SheetRow) -> None:
        for column in self._columns:
            self._hidden[column] += row.value(column) or 0.0

    def compare(self, row: SheetRow, kind: str) -> list[tuple[int, str, str]]:
        """(column, the total shown, the computed sum) of each number of a total row that differs."""
        differing = []
        for column in self._columns:
            total = row.value(column)
            if total is None or not (rows := self._numbers(column)):
                continue
            if kind == "subtotal" and not (rows := rows[self._group_from[column] :]):
                continue
            if kind == "total":
                self._shown[column] = row.text(column)
            computed = math.fsum(rows)
            if not any(_close(total, s) for s in (computed, computed + self._hidden[column])):
                differing.append((column, row.text(column), _plain(computed)))
        if kind == "subtotal":
            self._group_from = {c: len(self._numbers(c)) for c in self._columns}
        return differing

    def totals(self, wanted: Container[int]) -> dict[int, ColumnTotal]:
        """By sheet column, for the columns that hold numbers alone: the wanted, and those with a total."""
        asked = [c for c in self._columns if c in wanted or self._shown.get(c)]
        return {
            column: ColumnTotal(self._shown.get(column), _plain(math.fsum(values)))
            for column in asked
            if (values := self._numbers(column))
        }


def _close(total: float, computed: float) -> bool:
    return abs(total - computed) <= 0.0051 + abs(computed) * 1e-9


def _plain(number: float) -> str:
    shown = f"{Decimal(f'{number:.15g}'):f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown

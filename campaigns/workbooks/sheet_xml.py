"""A worksheet part streamed into a Sheet (SpreadsheetML, ECMA-376 part 1, 18.3.1)."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from urllib.parse import unquote

from lxml import etree  # type: ignore[import-untyped]

from campaigns.workbooks.formats import (
    DAYS_1904,
    DIGITS_LOST_FROM,
    CannotShow,
    NumberFormats,
    show_lost_digits,
)
from campaigns.workbooks.grid import MAX_COLUMNS, MAX_ROWS, NAN, Flaw, Merge, Sheet, SheetRow, Tick
from campaigns.workbooks.package import Package
from campaigns.workbooks.problems import ProblemKind, RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits
from campaigns.workbooks.row_shapes import Column, PlainRows, RowShapes, Shape
from campaigns.workbooks.shared_strings import local_name, plain_text, string_text

_REFERENCE = re.compile(r"^\$?([A-Z]{1,3})\$?([0-9]{1,7})$")
_MAILTO_FORMULA = re.compile(r'HYPERLINK\(\s*"(mailto:[^"]+)"', re.I)
_TAGS = ["{*}row", "{*}cols", "{*}mergeCell", "{*}hyperlink"]
_MAX_MERGES = 200_000
_REMEMBERED = 5_000


class RowsOutOfOrder(Exception):
    """The rows depend on those before them, so that none may be taken out of their order."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with each value of a shape.

    `texts` picks what each column has as an inline text, and "" for those of other kinds.
    `shared`: (group, column) of shared texts, `inline`: the columns of inline ones.
    """

    nans: bytes
    texts: Callable[[Sequence[str]], Sequence[str]]
    shared: tuple[tuple[int, int], ...]
    inline: tuple[int, ...]
    others: tuple[Column, ...]

    @classmethod
    def of(cls, shape: Shape) -> Plan:
        columns = shape.columns
        width = columns[-1].column + 1
        inline = {c.column: c.value for c in columns if c.type == "inlineStr"}
        groups = [inline.get(column, -1) for column in range(width)]
        return cls(
            array("d", [NAN] * width).tobytes(),
            itemgetter(*groups, -1),  # one more, so that a single column is a tuple too
            tuple((c.value, c.column) for c in columns if c.type == "s"),
            tuple(inline),
            tuple(c for c in columns if c.style),
        )


def parse_reference(reference: str) -> tuple[int, int]:
    """'E4' → (4, 4): the row from 1 and the column from 0."""
    match = _REFERENCE.match(reference)
    if match is None:
        raise WorkbookRejected(RejectKind.DAMAGED, f"单元格位置“{reference[:20]}”不对")
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    row = int(match[2])
    if column > MAX_COLUMNS or not 0 < row <= MAX_ROWS:
        raise WorkbookRejected(RejectKind.SIZE, f"单元格位置 {reference} 超出 Excel 的范围")
    return row, column - 1


class SheetReader:
    """Reads one sheet; `styles` are number format codes by style index."""

    def __init__(
        self,
        name: str,
        styles: list[str],
        strings: list[str],
        formats: NumberFormats,
        limits: Limits,
    ) -> None:
        self._sheet = Sheet(name)
        self._styles = styles
        self._strings = strings
        self._formats = formats
        self._limits = limits
        self._cells = 0
        self._plain_rows = False
        self._taken = 0
        self._plans: dict[Shape, Plan] = {}
        #: The s attributes of cells that show numbers as General does.
        self._general: set[str | None] = {
            str(at) for at, code in enumerate(styles) if code == "General"
        }
        if styles and styles[0] == "General":
            self._general.add(None)
        self._numbers: dict[tuple[str, str | None], tuple[str, float]] = {}
        self._piece = "", False
        self._columns: dict[str, int] = {}
        self._local: dict[str, str] = {}
        self._codes: dict[str | None, str] = {None: styles[0] if styles else "General"}

    def read(
        self,
        package: Package,
        part: str,
        links: dict[str, str],
        tick: Tick | None,
        *,
        plain_rows: bool = True,
    ) -> Sheet:
        """`links` are the sheet's relation targets by id.

        Raises RowsOutOfOrder where rows may not be taken out of the XML: read it without `plain_rows`.
        """
        self._plain_rows = plain_rows
        through = PlainRows(RowShapes(self._column), self._take_plain) if plain_rows else None
        for element in package.elements(part, _TAGS, tick, through):
            tag = local_name(element)
            if tag == "row":
                self._read_row(element)
            elif tag == "mergeCell":
                self._read_merge(element.get("ref", ""))
            elif tag == "cols":
                self._read_columns(element)
            else:
                self._read_link(element, links)
        self._sheet.rows.sort(key=lambda row: row.number)
        return self._sheet

    def _read_columns(self, element: etree._Element) -> None:
        for col in element:
            hidden = col.get("hidden") in ("1", "true") or col.get("width") in ("0", "0.0")
            low, high = _number(col.get("min")), _number(col.get("max"))
            if high > MAX_COLUMNS:
                raise WorkbookRejected(RejectKind.SIZE, f"声称有 {high} 列")
            if hidden and 0 < low <= high:
                self._sheet.hidden_columns.update(range(low - 1, high))

    def _read_merge(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        top, left = parse_reference(first)
        bottom, right = parse_reference(last or first)
        self._sheet.merges.append(Merge(top, left, bottom, right))
        if len(self._sheet.merges) > _MAX_MERGES:
            raise WorkbookRejected(RejectKind.SIZE, "合并单元格过多")

    def _read_link(self, element: etree._Element, links: dict[str, str]) -> None:
        keys = [str(v) for k, v in element.attrib.items() if str(k).endswith("}id")]
        target = links.get(keys[0], "") if keys else ""
        if not target.lower().startswith("mailto:"):
            return
        first, _, last = element.get("ref", "").partition(":")
        top, left = parse_reference(first)
        bottom, right = parse_reference(last or first)
        for row in range(top, min(bottom, top + 1000) + 1):
            for column in range(left, min(right, left + 50) + 1):
                self._sheet.links[row, column] = unquote(target)

    def _read_row(self, element: etree._Element) -> None:
        rows = self._sheet.rows
        last = rows[-1].number if rows else 0
        given = element.get("r")
        if not given and self._plain_rows and self._taken:
            raise RowsOutOfOrder
        number = _number(given) if given else last + 1
        if not 0 < number <= MAX_ROWS:
            raise WorkbookRejected(RejectKind.DAMAGED, "行号不对")
        texts: list[str] = []
        numbers = array("d")
        position = 0
        for cell in element:
            position = self._read_cell(cell, number, position, texts, numbers) + 1
        hidden = element.get("hidden") in ("1", "true") or element.get("ht") == "0"
        self._append(SheetRow(number, texts, numbers, hidden))

    def _append(self, row: SheetRow) -> None:
        texts, rows = row.texts, self._sheet.rows
        if texts and not texts[-1]:
            self._trim(row.number, texts)
        if not texts:
            return
        if len(texts) > self._limits.columns or len(rows) >= self._limits.rows:
            raise WorkbookRejected(RejectKind.SIZE, "行数或列数过多")
        self._cells += len(texts)
        if self._cells > self._limits.cells:
            raise WorkbookRejected(RejectKind.SIZE, "单元格过多")
        rows.append(row)

    def _take_plain(self, shape: Shape, match: re.Match[str]) -> None:
        """A row that was taken out of the XML whole."""
        number, values = int(match[1]), match.groups("")
        if number <= self._taken or not 0 < number <= MAX_ROWS:
            raise RowsOutOfOrder
        self._taken = number
        plan = self._plans.get(shape)
        if plan is None:
            plan = self._plans[shape] = Plan.of(shape)
        texts = list(plan.texts(values))
        texts.pop()
        if plan.shared:
            self._share(plan, values, texts)
        if plan.inline and self._has_escapes(match.string):
            for column in plan.inline:
                texts[column] = plain_text(texts[column])
        numbers = array("d", plan.nans) if plan.others else None
        for column, kind, at, style_at in plan.others:
            if (stored := values[at]) and numbers is not None:
                style = values[style_at] or None
                # Numbers come again and again in a list.
                shown = self._numbers.get((stored, style)) if kind == "n" else None
                if shown is None:
                    shown = self._shown(column, kind, stored, style, number)
                texts[column], numbers[column] = shown
        self._append(SheetRow(number, texts, numbers))

    def _share(self, plan: Plan, values: Sequence[str], texts: list[str]) -> None:
        strings = self._strings
        try:
            for at, column in plan.shared:
                if stored := values[at]:
                    texts[column] = strings[int(stored)]
        except IndexError:
            raise WorkbookRejected(RejectKind.DAMAGED, "缺少共享文字") from None

    def _has_escapes(self, piece: str) -> bool:
        """Whether a piece of XML may have _xHHHH_ in it; asked for each of its rows."""
        if piece is not self._piece[0]:
            self._piece = piece, "_x" in piece
        return self._piece[1]

    def _shown(
        self, column: int, kind: str, stored: str, style: str | None, row: int
    ) -> tuple[str, float]:
        """What a cell with a value shows."""
        if kind != "n":
            return self._typed(kind, stored, style, row, column), NAN
        if stored.isdigit() and style in self._general and _is_shown_so(stored):
            known = stored, float(stored)
        else:
            known = self._number(stored, style, row, column)
        if known[0] and len(self._numbers) < _REMEMBERED:
            self._numbers[stored, style] = known
        return known

    def _trim(self, number: int, texts: list[str]) -> None:
        """Formatted but empty cells at the end are no content."""
        while texts and not texts[-1] and (number, len(texts) - 1) not in self._sheet.flaws:
            texts.pop()

    def _read_cell(
        self, cell: etree._Element, row: int, after: int, texts: list[str], numbers: array[float]
    ) -> int:
        """Appends what a cell shows; returns its column. `after` is where one without r stands."""
        column = self._column_of(cell, after)
        if column >= MAX_COLUMNS:
            raise WorkbookRejected(RejectKind.SIZE, "列数过多")
        if not len(cell):
            return column
        if column < len(texts):
            raise WorkbookRejected(RejectKind.DAMAGED, f"第 {row} 行的单元格顺序不对")
        gap = column - len(texts)
        if gap:
            texts.extend([""] * gap)
            numbers.extend([NAN] * gap)
        text, number = self._value(cell, row, column)
        texts.append(text)
        numbers.append(number)
        return column

    def _column_of(self, cell: etree._Element, after: int) -> int:
        reference = cell.get("r")
        if reference is None:
            return after
        return self._column(reference.rstrip("0123456789"))

    def _column(self, letters: str) -> int:
        column = self._columns.get(letters)
        if column is None:
            column = self._columns[letters] = parse_reference(letters + "1")[1]
        return column

    def _value(self, cell: etree._Element, row: int, column: int) -> tuple[str, float]:
        kind = cell.get("t", "n")
        stored, formula = None, None
        for child in cell:
            tag = self._local.get(child.tag) or self._local_name(child)
            if tag == "v":
                stored = child.text
            elif tag == "f":
                formula = child.text or ""
            elif tag == "is":
                return string_text(child), NAN
        if formula is not None:
            if match := _MAILTO_FORMULA.search(formula):
                self._sheet.links[row, column] = unquote(match[1])
            if stored is None and kind != "str":
                return self._flaw(row, column, ProblemKind.FORMULA_WITHOUT_VALUE, "=" + formula)
        if stored is None:
            return "", NAN
        if kind == "n":
            return self._number(stored, cell.get("s"), row, column)
        return self._typed(kind, stored, cell.get("s"), row, column), NAN

    def _local_name(self, element: etree._Element) -> str:
        return self._local.setdefault(element.tag, local_name(element))

    def _typed(self, kind: str, stored: str, style: str | None, row: int, column: int) -> str:
        if kind == "s":
            index = _number(stored)
            if not 0 <= index < len(self._strings):
                raise WorkbookRejected(RejectKind.DAMAGED, "缺少共享文字")
            return self._strings[index]
        if kind == "b":
            return "TRUE" if stored.strip() in ("1", "true") else "FALSE"
        if kind == "e":
            return self._flaw(row, column, ProblemKind.ERROR_VALUE, stored)[0]
        if kind == "d":
            return self._date(stored, style, row, column)
        return plain_text(stored)

    def _date(self, stored: str, style: str | None, row: int, column: int) -> str:
        """An ISO 8601 date (t="d") shown by its style, as if it were the serial number."""
        try:
            passed = datetime.fromisoformat(stored.rstrip("Z")) - datetime(1899, 12, 30)
        except (ValueError, TypeError):
            return self._flaw(row, column, ProblemKind.CANNOT_SHOW, stored)[0]
        days = passed.days - (DAYS_1904 if self._formats.date1904 else 0)
        return self._number(str(days + passed.seconds / 86400), style, row, column)[0]

    def _number(self, stored: str, style: str | None, row: int, column: int) -> tuple[str, float]:
        try:
            value = float(stored)
        except ValueError as error:
            raise WorkbookRejected(RejectKind.DAMAGED, f"数字“{stored[:20]}”不对") from error
        if not abs(value) < DIGITS_LOST_FROM:
            return self._flaw(row, column, ProblemKind.LOST_DIGITS, show_lost_digits(value))
        code = self._codes.get(style) or self._code(style)
        try:
            return self._formats.show(code, value), value
        except CannotShow:
            return self._flaw(row, column, ProblemKind.CANNOT_SHOW, stored, code)

    def _code(self, style: str | None) -> str:
        index = _number(style)
        known = 0 <= index < len(self._styles)
        return self._codes.setdefault(style, self._styles[index] if known else "General")

    def _flaw(
        self, row: int, column: int, kind: ProblemKind, raw: str, code: str = ""
    ) -> tuple[str, float]:
        self._sheet.flaws[row, column] = Flaw(kind, raw, code)
        return "", NAN


def _is_shown_so(digits: str) -> bool:
    """Whether General shows a whole number as it is written."""
    return digits.isascii() and len(digits) < 16 and (digits[0] != "0" or digits == "0")


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else -1

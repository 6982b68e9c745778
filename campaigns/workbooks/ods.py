"""An OpenDocument spreadsheet (ODF 1.3 part 3, 9): its cells carry the text that they show."""

from __future__ import annotations

from array import array

from lxml import etree  # type: ignore[import-untyped]

from campaigns.workbooks.grid import NAN, Flaw, Merge, Sheet, SheetRow, Tick
from campaigns.workbooks.package import Package
from campaigns.workbooks.problems import ProblemKind, RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits

_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_ERRORS = ("#REF!", "#DIV/0!", "#N/A", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "Err:")


class OdsSource:
    """The content is parsed once and kept as a tree: bounded by Limits.unzipped_bytes / 4."""

    def __init__(self, package: Package, limits: Limits) -> None:
        part = package.find("content.xml")
        manifest = package.find("META-INF/manifest.xml")
        if manifest and b"encryption-data" in b"".join(package.chunks(manifest)):
            raise WorkbookRejected(RejectKind.PASSWORD)
        if part is None:
            raise WorkbookRejected(RejectKind.DAMAGED, "缺少 content.xml")
        self._package = package
        self._part = part
        self._limits = limits
        hidden_styles: set[str] = set()
        self.sheets: list[tuple[str, bool]] = []
        tags = [f"{_STYLE}style", f"{_TABLE}table-row", f"{_TABLE}table"]
        for element in package.elements(part, tags):
            if element.tag == f"{_STYLE}style":
                properties = element.find(f"{_STYLE}table-properties")
                if properties is not None and properties.get(f"{_TABLE}display") == "false":
                    hidden_styles.add(element.get(f"{_STYLE}name", ""))
            elif element.tag == f"{_TABLE}table":
                name = element.get(f"{_TABLE}name", "")
                self.sheets.append((name, element.get(f"{_TABLE}style-name") in hidden_styles))

    def load(self, name: str, tick: Tick | None = None) -> Sheet:
        """Rows before the wanted table's end belong to the table that ends next."""
        reader = _TableReader(name, self._limits)
        tags = [f"{_TABLE}table-column", f"{_TABLE}table-row", f"{_TABLE}table"]
        for element in self._package.elements(self._part, tags, tick):
            if element.tag == f"{_TABLE}table":
                if element.get(f"{_TABLE}name", "") == name:
                    return reader.sheet
                reader = _TableReader(name, self._limits)
            elif element.tag == f"{_TABLE}table-column":
                reader.add_column(element)
            else:
                reader.add_row(element)
        return reader.sheet


class _TableReader:
    def __init__(self, name: str, limits: Limits) -> None:
        self.sheet = Sheet(name)
        self._limits = limits
        self._row = 0
        self._column = 0
        self._cells = 0

    def add_column(self, element: etree._Element) -> None:
        count = _repeat(element, "number-columns-repeated")
        if element.get(f"{_TABLE}visibility", "visible") != "visible":
            self.sheet.hidden_columns.update(range(self._column, min(self._column + count, 16_384)))
        self._column += count

    def add_row(self, element: etree._Element) -> None:
        """A blank row may say that it repeats a million times; one with content may not."""
        count = _repeat(element, "number-rows-repeated")
        first = self._row + 1
        self._row += count
        cells = _cells(element, self._limits)
        if not cells:
            return
        if count * len(cells) > self._limits.cells // 10 or first + count > self._limits.rows:
            raise WorkbookRejected(RejectKind.SIZE, "重复的行过多")
        hidden = element.get(f"{_TABLE}visibility", "visible") != "visible"
        for number in range(first, first + count):
            self._cells += cells[-1][0] + 1
            if self._cells > self._limits.cells or cells[-1][0] >= self._limits.columns:
                raise WorkbookRejected(RejectKind.SIZE, "单元格过多")
            self._add(number, cells, hidden)

    def _add(self, number: int, cells: list[tuple[int, etree._Element]], hidden: bool) -> None:
        width = cells[-1][0] + 1
        texts, numbers = [""] * width, array("d", [NAN]) * width
        for column, cell in cells:
            texts[column], numbers[column] = self._value(cell, number, column)
            across, down = (
                _repeat(cell, "number-columns-spanned"),
                _repeat(cell, "number-rows-spanned"),
            )
            if across > 1 or down > 1:
                self.sheet.merges.append(
                    Merge(number, column, number + down - 1, column + across - 1)
                )
            for link in cell.iter(f"{_TEXT}a"):
                target = link.get(f"{_XLINK}href", "")
                if target.lower().startswith("mailto:"):
                    self.sheet.links[number, column] = target
        self.sheet.rows.append(SheetRow(number, texts, numbers, hidden))

    def _value(self, cell: etree._Element, row: int, column: int) -> tuple[str, float]:
        text = "\n".join(_paragraph(p) for p in cell.iterchildren(f"{_TEXT}p"))
        kind = cell.get(f"{_OFFICE}value-type")
        formula = cell.get(f"{_TABLE}formula")
        if formula and text.startswith(_ERRORS):
            self.sheet.flaws[row, column] = Flaw(ProblemKind.ERROR_VALUE, text)
            return "", NAN
        if formula and kind is None and not text:
            self.sheet.flaws[row, column] = Flaw(ProblemKind.FORMULA_WITHOUT_VALUE, formula)
            return "", NAN
        if kind in ("float", "currency", "percentage"):
            return self._number(cell.get(f"{_OFFICE}value", ""), text, row, column)
        return text, NAN

    def _number(self, stored: str, text: str, row: int, column: int) -> tuple[str, float]:
        try:
            value = float(stored)
        except ValueError as error:
            raise WorkbookRejected(RejectKind.DAMAGED, "数字不对") from error
        if not abs(value) < 1e15:
            self.sheet.flaws[row, column] = Flaw(ProblemKind.LOST_DIGITS, stored)
            return "", NAN
        if "E+" in text and value.is_integer():
            text = str(int(value))
        return text or stored, value


def _cells(row: etree._Element, limits: Limits) -> list[tuple[int, etree._Element]]:
    """The cells that hold something, by column, repeated ones unrolled."""
    cells: list[tuple[int, etree._Element]] = []
    column = 0
    for cell in row:
        if cell.tag not in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            continue
        count = _repeat(cell, "number-columns-repeated")
        spans = _repeat(cell, "number-columns-spanned") * _repeat(cell, "number-rows-spanned") > 1
        if len(cell) or cell.get(f"{_TABLE}formula") or cell.get(f"{_OFFICE}value") or spans:
            if count > limits.columns:
                raise WorkbookRejected(RejectKind.SIZE, "列数过多")
            cells.extend((column + i, cell) for i in range(count))
        column += count
    return cells


def _repeat(element: etree._Element, attribute: str) -> int:
    text = element.get(_TABLE + attribute, "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _paragraph(element: etree._Element) -> str:
    """A text:p: its runs, with text:s as blanks, text:tab and text:line-break."""
    parts = [element.text or ""]
    for child in element:
        if child.tag == f"{_TEXT}s":
            count = child.get(f"{_TEXT}c", "1")
            parts.append(" " * (min(int(count), 1000) if count.isdigit() else 1))
        elif child.tag == f"{_TEXT}tab":
            parts.append("\t")
        elif child.tag == f"{_TEXT}line-break":
            parts.append("\n")
        elif child.tag != f"{_OFFICE}annotation":
            parts.append(_paragraph(child))
        parts.append(child.tail or "")
    return "".join(parts)

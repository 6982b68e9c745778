"""The old binary .xls (MS-XLS, BIFF 2 to 8), by xlrd, which alone knows its number formats."""

from __future__ import annotations

import io
from array import array
from typing import Any

import xlrd  # type: ignore[import-untyped]

from campaigns.workbooks.formats import (
    BUILTIN,
    DIGITS_LOST_FROM,
    CannotShow,
    NumberFormats,
    show_lost_digits,
)
from campaigns.workbooks.grid import NAN, Flaw, Merge, Sheet, SheetRow, Tick
from campaigns.workbooks.problems import ProblemKind, RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits


class XlsSource:
    """xlrd keeps the whole file in memory: .xls has at most 65,536 rows a sheet."""

    def __init__(self, content: bytes, limits: Limits) -> None:
        self._limits = limits
        try:
            self._book: Any = xlrd.open_workbook(
                file_contents=content,
                formatting_info=True,
                logfile=io.StringIO(),
                ignore_workbook_corruption=False,
            )
        except xlrd.XLRDError as error:
            if "encrypted" in str(error).lower() or "password" in str(error).lower():
                raise WorkbookRejected(RejectKind.PASSWORD) from error
            raise WorkbookRejected(RejectKind.DAMAGED, "旧版 .xls 的内容有错") from error
        except MemoryError:
            raise
        except Exception as error:  # xlrd raises whatever a broken record makes its parser meet
            raise WorkbookRejected(RejectKind.DAMAGED, "旧版 .xls 的内容有错") from error
        self._formats = NumberFormats(date1904=self._book.datemode == 1)
        self.sheets = [(sheet.name, sheet.visibility != 0) for sheet in self._book.sheets()]

    def load(self, name: str, tick: Tick | None = None) -> Sheet:
        book_sheet = self._book.sheet_by_name(name)
        if book_sheet.ncols > self._limits.columns:
            raise WorkbookRejected(RejectKind.SIZE, "列数过多")
        sheet = Sheet(name)
        sheet.merges = [Merge(a + 1, c, b, d - 1) for a, b, c, d in book_sheet.merged_cells]
        infos = book_sheet.colinfo_map.items()
        sheet.hidden_columns = {column for column, info in infos if info.hidden}
        for (row, column), link in book_sheet.hyperlink_map.items():
            if (link.url_or_path or "").lower().startswith("mailto:"):
                sheet.links[row + 1, column] = link.url_or_path
        for index in range(book_sheet.nrows):
            self._read_row(book_sheet, sheet, index)
            if tick:
                tick(index + 1, book_sheet.nrows)
        return sheet

    def _read_row(self, book_sheet: Any, sheet: Sheet, index: int) -> None:
        texts: list[str] = []
        numbers = array("d")
        for column, cell in enumerate(book_sheet.row(index)):
            text, number = self._value(cell, sheet, index + 1, column)
            texts.append(text)
            numbers.append(number)
        while texts and not texts[-1] and (index + 1, len(texts) - 1) not in sheet.flaws:
            texts.pop()
        info = book_sheet.rowinfo_map.get(index)
        if texts:
            sheet.rows.append(SheetRow(index + 1, texts, numbers, bool(info and info.hidden)))

    def _value(self, cell: Any, sheet: Sheet, row: int, column: int) -> tuple[str, float]:
        if cell.ctype == xlrd.XL_CELL_TEXT:
            return cell.value.replace("\r\n", "\n").replace("\r", "\n"), NAN
        if cell.ctype in (xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE):
            return self._number(cell, sheet, row, column)
        if cell.ctype == xlrd.XL_CELL_BOOLEAN:
            return "TRUE" if cell.value else "FALSE", NAN
        if cell.ctype == xlrd.XL_CELL_ERROR:
            raw = xlrd.error_text_from_code.get(cell.value, "#N/A")
            sheet.flaws[row, column] = Flaw(ProblemKind.ERROR_VALUE, raw)
        return "", NAN

    def _number(self, cell: Any, sheet: Sheet, row: int, column: int) -> tuple[str, float]:
        value = float(cell.value)
        if not abs(value) < DIGITS_LOST_FROM:
            sheet.flaws[row, column] = Flaw(ProblemKind.LOST_DIGITS, show_lost_digits(value))
            return "", NAN
        code = self._format_code(cell)
        try:
            return self._formats.show(code, value), value
        except CannotShow:
            sheet.flaws[row, column] = Flaw(ProblemKind.CANNOT_SHOW, str(cell.value), code)
            return "", NAN

    def _format_code(self, cell: Any) -> str:
        """The file's own code; Chinese Excel's for those that follow Windows' settings."""
        if cell.xf_index is None or cell.xf_index >= len(self._book.xf_list):
            return "General"
        key = self._book.xf_list[cell.xf_index].format_key
        if key in (14, 22) or 27 <= key <= 36 or 50 <= key <= 58:
            return BUILTIN[key]
        known = self._book.format_map.get(key)
        return str(known.format_str) if known else BUILTIN.get(key, "General")

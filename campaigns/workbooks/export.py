"""Results back to HR as .xlsx or CSV, where a text never becomes a formula (OWASP, CSV injection)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

_DANGEROUS = tuple("=+-@\t\r\n＝＋－＠|%")
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MAX_TEXT = 32_767


def safe_text(value: object) -> str:
    """A text for a CSV cell: an apostrophe before what a spreadsheet would calculate."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" \u3000\u00a0").startswith(_DANGEROUS) else text


def result_workbook(
    rows: Iterable[Sequence[object]], headers: Sequence[str], target: Path | IO[bytes]
) -> None:
    """Writes a sheet of texts alone, row by row; every cell a string, also one that starts with =."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("结果")
    sheet.freeze_panes = "A2"

    def cell(value: object) -> Any:
        text = _ILLEGAL.sub("", "" if value is None else str(value))[:_MAX_TEXT]
        made = WriteOnlyCell(sheet, value=text)
        made.data_type = "s"
        made.number_format = "@"
        made.quotePrefix = text.startswith(_DANGEROUS)
        return made

    for row in chain([headers], rows):
        sheet.append([cell(value) for value in row])
    book.save(target)

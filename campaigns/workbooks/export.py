"""Results back to HR as .xlsx or CSV, where a text never becomes a formula (OWASP, CSV injection).

The .xlsx (ECMA-376 part 1, 18) is written here row by row: openpyxl would first write the sheet, a
payroll in clear, into the system's temporary folder.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

_DANGEROUS = tuple("=+-@\t\r\n＝＋－＠|%")
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_MAX_TEXT = 32_767

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_DECLARED = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
# Formats of cells: 1 is "@", a text; 2 also has the mark of an apostrophe typed before it.
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="结果" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font><sz val="11"/>'
    '<name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/>'
    '</fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/>'
    '</borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf xfId="0"/>'
    '<xf numFmtId="49" applyNumberFormat="1" xfId="0"/>'
    '<xf numFmtId="49" applyNumberFormat="1" quotePrefix="1" xfId="0"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}
_SHEET = (
    f'{_DECLARED}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>'
    "</sheetViews><sheetData>"
)


def safe_text(value: object) -> str:
    """A text for a CSV cell: an apostrophe before what a spreadsheet would calculate."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" \u3000\u00a0").startswith(_DANGEROUS) else text


def result_workbook(
    rows: Iterable[Sequence[object]], headers: Sequence[str], target: Path | IO[bytes]
) -> None:
    """Writes a sheet of texts alone, row by row; every cell a string, also one that starts with =."""
    with ZipFile(target, "w", ZIP_DEFLATED) as package:
        for name, part in _PARTS.items():
            package.writestr(name, _DECLARED + part)
        with package.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(_SHEET.encode())
            for row in chain([headers], rows):
                cells = "".join(_cell(value) for value in row)
                sheet.write(f"<row>{cells}</row>".encode())
            sheet.write(b"</sheetData></worksheet>")


def result_csv(rows: Iterable[Sequence[object]], headers: Sequence[str], target: IO[bytes]) -> None:
    """The same as CSV (RFC 4180), in UTF-8 with the mark by which Excel knows it."""
    text = TextIOWrapper(target, "utf-8-sig", errors="replace", newline="", write_through=True)
    lines = csv.writer(text)
    for row in chain([headers], rows):
        lines.writerow([safe_text(value) for value in row])
    text.detach()


def looks_like_formula(text: str) -> bool:
    """Whether a spreadsheet would calculate it, were it typed."""
    return text.startswith(_DANGEROUS)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return cell_xml(text, f' s="{2 if looks_like_formula(text) else 1}"')


def cell_xml(text: str, attributes: str, prefix: str = "") -> str:
    """A cell of text (18.3.1.4), whatever it looks like; `prefix` is that of the sheet's namespace."""
    text = _ILLEGAL.sub("", text)[:_MAX_TEXT]
    # Excel would read _x0041_ as A (ECMA-376 part 1, 22.9.2.19).
    text = _ESCAPE.sub("_x005F_", text)
    # As a reference, since a parser would make a line feed of a bare carriage return.
    shown = escape(text, {"\r": "&#13;"})
    inner = f'<{prefix}t xml:space="preserve">{shown}</{prefix}t>'
    return f'<{prefix}c{attributes} t="inlineStr"><{prefix}is>{inner}</{prefix}is></{prefix}c>'

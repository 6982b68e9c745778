"""Small workbooks made on the spot, and what reading them yields."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from openpyxl import Workbook

from campaigns.workbooks import Reading, RejectKind, WorkbookRejected, read

SHEET_XML = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "{before}<sheetData>{rows}</sheetData>{after}</worksheet>"
)


def reading_of(content: Workbook | bytes | str, folder: Path, **how: object) -> Reading:
    return read(saved(content, folder), **how)  # type: ignore[arg-type]


def saved(content: Workbook | bytes | str, folder: Path) -> Path:
    path = folder / "upload"
    if isinstance(content, Workbook):
        content.save(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rejection_of(content: Workbook | bytes | str, folder: Path, **how: object) -> WorkbookRejected:
    with pytest.raises(WorkbookRejected) as caught:
        reading_of(content, folder, **how)
    return caught.value


def kind_of(content: Workbook | bytes | str, folder: Path, **how: object) -> RejectKind:
    return rejection_of(content, folder, **how).kind


def book(*rows: Iterable[object], merges: Iterable[str] = (), title: str = "工资") -> Workbook:
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    for merge in merges:
        sheet.merge_cells(merge)
    return workbook


def skipped(reading: Reading) -> list[tuple[int, str]]:
    return [(row["row"], row["why"]) for row in reading.skipped_rows]


def emails(reading: Reading) -> list[tuple[int, str]]:
    return [(row.number, row.email) for row in reading.rows]


def texts(reading: Reading, kind: str) -> list[str]:
    return [problem.text for problem in reading.problems if problem.kind == kind]


def xlsx_with(parts: Mapping[str, str | bytes]) -> bytes:
    """A sound workbook of one person, with some of its parts replaced or added."""
    plain = io.BytesIO()
    book(["姓名", "邮箱", "实发"], ["张伟", "zhang@example.com", 1]).save(plain)
    out = io.BytesIO()
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, parts.get(name, old.read(name)))
        for name in parts.keys() - set(old.namelist()):
            new.writestr(name, parts[name])
    return out.getvalue()


def xlsx_of_sheet(rows: str, *, before: str = "", after: str = "") -> bytes:
    sheet = SHEET_XML.format(rows=rows, before=before, after=after)
    return xlsx_with({"xl/worksheets/sheet1.xml": sheet})


def inline(reference: str, text: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>'


#: The header and one person as sheet XML.
TWO_ROWS = (
    f'<row r="1">{inline("A1", "姓名")}{inline("B1", "邮箱")}{inline("C1", "实发")}</row>'
    f'<row r="2">{inline("A2", "张伟")}{inline("B2", "zhang@example.com")}{{c2}}</row>'
)

"""Columns beside the rows of HR's own file: there, and nothing else is different."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import openpyxl
import pytest
from openpyxl.styles import Font, PatternFill

from campaigns.workbooks.file_child import Notes, annotate_in_child
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from campaigns.workbooks.words import OWN_COLUMN
from tests.fakes import sheets

HEADERS = [f"{OWN_COLUMN}{name}" for name in ("状态", "原因")]


def hrs_file(**changes: Any) -> bytes:
    """Title, two-level header, formats, a formula, hidden columns to the right, a second sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "11月"
    for row in (
        ["鸿雁科技工资表"],
        ["姓名", "邮箱", "应发", None],
        [None, None, "基本", "奖金"],
        ["甲", "a@x.example", 8000, 100],
        ["乙", "b@x.example", 9000, "=C5*0.1"],
        ["合计", None, "=SUM(C4:C5)", None],
    ):
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    sheet.merge_cells("C2:D2")
    sheet["C4"].number_format = "#,##0.00"
    sheet["A2"].fill = PatternFill("solid", start_color="FFEEEE00")
    sheet["E4"].font = Font(bold=True)  # an empty cell with a format, where a new one comes
    sheet.column_dimensions.group("E", "XFD", hidden=True)
    book.create_sheet("上月").append(["=1+1"])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def annotated(data: bytes, rows: dict[int, list[str]], **given: Any) -> tuple[str, Any]:
    notes = Notes(**{"sheet": "11月", "header_row": 3, "headers": HEADERS, "rows": rows} | given)
    suffix, content = annotate_in_child(data, notes)
    return suffix, content


def parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_the_columns_stand_in_their_rows_and_all_else_stays_byte_for_byte() -> None:
    data = hrs_file()
    suffix, content = annotated(data, {4: ["已提交", ""], 5: ["被拒", "=1+1"]}, red=frozenset({5}))
    assert suffix == ".xlsx"
    sheet = openpyxl.load_workbook(io.BytesIO(content))["11月"]
    assert [cell.value for cell in sheet["E"]] == [None, None, HEADERS[0], "已提交", "被拒", None]
    assert (sheet["F5"].value, sheet["F5"].data_type) == ("=1+1", "s")
    assert sheet["F5"].quotePrefix
    assert sheet["E5"].font.color.rgb == "FFC00000"
    assert not sheet.column_dimensions["E"].hidden
    assert sheet.column_dimensions["G"].hidden
    assert sheet.dimensions == "A1:F6"
    # Formulas, formats and merges; and every other part to the byte.
    assert (sheet["D5"].value, sheet["C4"].number_format) == ("=C5*0.1", "#,##0.00")
    assert {str(m) for m in sheet.merged_cells.ranges} == {"A2:A3", "C2:D2"}
    before, after = parts(data), parts(content)
    changed = {name for name in before if before[name] != after[name]}
    assert before.keys() == after.keys()
    assert changed == {"xl/worksheets/sheet1.xml", "xl/styles.xml"}


def test_a_second_time_replaces_the_columns_of_the_first() -> None:
    _suffix, once = annotated(hrs_file(), {4: ["排队中", ""]})
    _suffix, twice = annotated(once, {4: ["已提交", ""], 5: ["已提交", ""]})
    sheet = openpyxl.load_workbook(io.BytesIO(twice))["11月"]
    assert [[c.value for c in row[4:]] for row in sheet["A3:F5"]] == [
        HEADERS, ["已提交", ""], ["已提交", ""],
    ]  # fmt: skip


PREFIXED = (
    '<?xml version="1.0"?><x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/'
    '2006/main"><x:sheetData><x:row><x:c t="inlineStr"><x:is><x:t>邮箱</x:t></x:is></x:c></x:row>'
    '<x:row spans="1:1"><x:c t="inlineStr"><x:is><x:t>a@x.example</x:t></x:is></x:c></x:row>'
    "<x:row/></x:sheetData></x:worksheet>"
)


def test_a_sheet_with_prefixes_and_without_references_takes_them_too() -> None:
    plain = parts(sheets.xlsx({"11月": [["邮箱"], ["a@x.example"]]}))
    plain["xl/worksheets/sheet1.xml"] = PREFIXED.encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        for name, part in plain.items():
            package.writestr(name, part)
    rows = {2: ["已提交", ""], 3: ["x", ""]}
    _suffix, content = annotated(file.getvalue(), rows, header_row=1)
    sheet = openpyxl.load_workbook(io.BytesIO(content))["11月"]
    assert [[c.value for c in row] for row in sheet.iter_rows(max_col=2)] == [
        ["邮箱", HEADERS[0]], ["a@x.example", "已提交"], [None, "x"],
    ]  # fmt: skip


def test_another_format_comes_back_as_an_xlsx_of_what_it_shows() -> None:
    data = "工资表\n\n姓名,邮箱,卡号\n甲,a@x.example,0062220000000000001\n".encode("gbk")
    suffix, content = annotated(data, {4: ["已提交", ""]}, sheet="Sheet1", header_row=3)
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert suffix == ".xlsx"
    assert [c.value for c in sheet[4]][:4] == ["甲", "a@x.example", "0062220000000000001", "已提交"]
    assert sheet["D3"].value == HEADERS[0]


def test_a_sheet_that_is_not_there_is_refused() -> None:
    with pytest.raises(WorkbookRejected) as refused:
        annotated(hrs_file(), {}, sheet="12月")
    assert refused.value.kind is RejectKind.UNKNOWN_SHEET

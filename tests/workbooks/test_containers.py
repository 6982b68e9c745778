"""What a file is, is told by its content: xlsx, xls, ods, csv in any encoding, HTML named .xls."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from campaigns.workbooks import RejectKind, read
from tests.workbooks.making import book, emails, kind_of, reading_of, texts, xlsx_with

CORPUS = Path(__file__).parent.parent / "corpus" / "workbooks"
TABLE = '姓名{0}邮箱{0}部门{0}备注\r\n陈大文{0}chen@example.com{0}市场部{0}"多行\r\n文字"\r\n\r\n林小华{0}lin@example.com{0}财务部{0}x\r\n'
TRADITIONAL = '姓名{0}電子郵件{0}部門{0}備註\r\n陳大文{0}chen@example.com{0}業務部{0}"多行\r\n文字"\r\n\r\n林小華{0}lin@example.com{0}財務部{0}x\r\n'


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize(
    ("encoding", "text"),
    [("utf-8", TABLE), ("utf-8-sig", TABLE), ("utf-16", TABLE), ("utf-16-le", TABLE), ("utf-16-be", TABLE),
     ("gbk", TABLE), ("gb18030", TABLE), ("big5", TRADITIONAL), ("utf-8", TRADITIONAL)],
)  # fmt: skip
def test_encoding_and_delimiter_of_a_text_are_found(
    encoding: str, text: str, delimiter: str, tmp_path: Path
) -> None:
    reading = reading_of(text.format(delimiter).encode(encoding), tmp_path)
    assert emails(reading) == [(2, "chen@example.com"), (4, "lin@example.com")]
    lines = text.split("\r\n")
    assert reading.columns == lines[0].split("{0}")
    assert reading.rows[0].cells[3] == "多行\n文字"
    assert reading.rows[1].name == lines[4].partition("{0}")[0]


def test_csv_text_is_taken_verbatim_but_for_lost_digits(tmp_path: Path) -> None:
    reading = reading_of(
        'sep=,\n姓名,邮箱,a,b,c,d\n甲,a@example.com,=1+1,"=""00123""",6222020200112233445,6.22202E+18\n',
        tmp_path,
    )
    assert reading.recipients[0]["fields"] == {
        "a": "=1+1",
        "b": "00123",
        "c": "6222020200112233445",
    }
    assert [(i["column"], i["raw"]) for i in reading.invalid] == [("F", "6.22202E+18")]
    assert reading.outcome == "import-with-errors"


def test_a_quote_that_is_never_closed_does_not_swallow_people(tmp_path: Path) -> None:
    text = '姓名,邮箱\n甲,a@example.com\n"乙,b@example.com\n丙,c@example.com\n'
    assert kind_of(text, tmp_path) is RejectKind.DAMAGED
    loose = '姓名,邮箱,屏\n"甲"乙,a@example.com,5"\n'
    assert emails(reading_of(loose, tmp_path)) == [(2, "a@example.com")]


HTML = (
    '<!DOCTYPE html><html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><meta charset="gbk"></head>'
    "<table><tr><th rowspan=2>姓名<th rowspan=2>邮箱<th colspan=2>应发<th rowspan=2 style='display:none'>密<tr><th>基本<th>绩效"
    "<tr><td>张三<td><a href='mailto:zhang@example.com'>点我</a><td>00123<td>1,000.00&nbsp;<td>秘"
    "<tr style='display:none'><td>李<td>li@example.com<td>1<td>2<td>3"
    "<tr><td>王<br>芳\n  x<td>wang@example.com<td><td>2</table></html>"
)


@pytest.mark.parametrize("encoding", ["gbk", "utf-8", "utf-16"])
def test_an_html_table_saved_as_xls_is_read(encoding: str, tmp_path: Path) -> None:
    reading = reading_of(HTML.encode(encoding), tmp_path)
    assert reading.header_rows == [1, 2]
    assert reading.columns == ["姓名", "邮箱", "应发/基本", "应发/绩效"]
    assert reading.recipients[0]["fields"] == {"应发/基本": "00123", "应发/绩效": "1,000.00"}
    assert emails(reading) == [(3, "zhang@example.com"), (5, "wang@example.com")]
    assert reading.rows[1].name == "王\n芳 x"
    assert reading.hidden == {"sheets": [], "rows": [4], "columns": ["E"]}


ODS = """<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:xlink="http://www.w3.org/1999/xlink">
<office:automatic-styles><style:style style:name="h" style:family="table"><style:table-properties table:display="false"/></style:style></office:automatic-styles>
<office:body><office:spreadsheet>
<table:table table:name="隐藏" table:style-name="h"><table:table-row><table:table-cell><text:p>x</text:p></table:table-cell></table:table-row></table:table>
<table:table table:name="工资"><table:table-column table:number-columns-repeated="3"/><table:table-column table:visibility="collapse"/>
<table:table-row>{header}<table:table-cell table:number-columns-repeated="16000"/></table:table-row>
<table:table-row table:number-rows-repeated="2"><table:table-cell/></table:table-row>
<table:table-row><table:table-cell office:value-type="string"><text:p>张<text:s text:c="2"/>三</text:p><text:p>二</text:p></table:table-cell>
<table:table-cell><text:p><text:a xlink:href="mailto:zhang@example.com">点我</text:a></text:p></table:table-cell>
<table:table-cell office:value-type="currency" office:value="1234.5"><text:p>￥1,234.50</text:p></table:table-cell><table:table-cell><text:p>密</text:p></table:table-cell></table:table-row>
<table:table-row table:visibility="collapse"><table:table-cell><text:p>李</text:p></table:table-cell><table:table-cell><text:p>li@example.com</text:p></table:table-cell></table:table-row>
<table:table-row><table:table-cell><text:p>王</text:p></table:table-cell><table:table-cell><text:p>wang@example.com</text:p></table:table-cell>
<table:table-cell table:formula="of:=1/0" office:value-type="float" office:value="0"><text:p>#DIV/0!</text:p></table:table-cell></table:table-row>
<table:table-row table:number-rows-repeated="1048500"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>
</table:table></office:spreadsheet></office:body></office:document-content>"""
ODS_HEADER = "".join(
    f"<table:table-cell><text:p>{name}</text:p></table:table-cell>"
    for name in ("姓名", "邮箱", "实发", "密")
)


def ods(content: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        package.writestr("content.xml", content)
    return out.getvalue()


def test_an_open_document_shows_the_text_of_its_cells(tmp_path: Path) -> None:
    reading = reading_of(ods(ODS.format(header=ODS_HEADER)), tmp_path)
    assert (reading.sheet, reading.sheets) == ("工资", ["工资"])
    assert reading.hidden == {"sheets": ["隐藏"], "rows": [5], "columns": ["D"]}
    assert reading.rows[0].cells == ("张  三\n二", "点我", "￥1,234.50")
    assert emails(reading) == [(4, "zhang@example.com"), (6, "wang@example.com")]
    assert [(i["row"], i["column"], i["raw"]) for i in reading.invalid] == [(6, "C", "#DIV/0!")]


def test_an_old_xls_is_read_with_its_formats_whatever_its_name() -> None:
    reading = read(CORPUS / "s07_real_xls_renamed.xlsx")
    assert [r["fields"]["实发"] for r in reading.recipients][:2] == ["4,001.50", "4,002.50"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", RejectKind.EMPTY),
        (b"\x00" * 5000, RejectKind.EMPTY),
        (b"%PDF-1.7\n...", RejectKind.NOT_A_WORKBOOK),
        (b"\x89PNG\r\n\x1a\n\x00\x00", RejectKind.NOT_A_WORKBOOK),
        (bytes(range(256)) * 40, RejectKind.NOT_A_WORKBOOK),
        (b"\xff\x00\x80\x9f\x01" * 3000, RejectKind.NOT_A_WORKBOOK),
        (b"PK\x03\x04 but no more", RejectKind.DAMAGED),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 600, RejectKind.NOT_A_WORKBOOK),
        (b"<?xml version='1.0'?><a/>", RejectKind.NOT_A_WORKBOOK),
        (b"<html><body>login please</body></html>", RejectKind.NOT_A_WORKBOOK),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n", RejectKind.UNSUPPORTED),
        (b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>', RejectKind.UNSUPPORTED),
        ("只有一句话，没有表格。".encode(), RejectKind.EMPTY),
    ],
)  # fmt: skip
def test_what_is_no_workbook_is_refused_with_its_cause(
    content: bytes, kind: RejectKind, tmp_path: Path
) -> None:
    assert kind_of(content, tmp_path) is kind


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ({"word/document.xml": "<a/>"}, RejectKind.NOT_A_WORKBOOK),
        ({"xl/workbook.bin": b"x"}, RejectKind.UNSUPPORTED),
    ],
)
def test_other_office_files_are_told_apart(
    parts: dict[str, str | bytes], kind: RejectKind, tmp_path: Path
) -> None:
    assert kind_of(xlsx_with(parts), tmp_path) is kind


def test_every_problem_is_a_sentence_that_names_its_cell(tmp_path: Path) -> None:
    reading = reading_of(book(["姓名", "邮箱"], ["张", "a@qq.con"], ["李", "x"]), tmp_path)
    assert texts(reading, "domain-typo") == ["“工资”B2 的域名 qq.con 可能写错了，是否应为 qq.com？"]
    assert texts(reading, "bad-address") == ["“工资”B3 的“x”不是可用的邮箱地址：格式不对。"]

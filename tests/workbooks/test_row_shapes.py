"""Rows taken out of the XML by their shape are those that the parser would have read."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from campaigns.workbooks import Reading, RejectKind, WorkbookRejected, read, row_shapes, words
from campaigns.workbooks.sheet_xml import SheetReader
from tests.workbooks.making import (
    TWO_ROWS,
    inline,
    kind_of,
    reading_of,
    saved,
    xlsx_of_sheet,
    xlsx_with,
)
from tests.workbooks.test_round_trip import layouts

CORPUS = Path(__file__).parent.parent / "corpus" / "workbooks"


def parsed(path: Path) -> Reading | WorkbookRejected:
    """The reading with every row and text left to the parser."""
    with (
        mock.patch.object(row_shapes.PlainRows, "__call__", lambda _self, chunks: chunks),
        mock.patch("campaigns.workbooks.shared_strings.is_utf8", return_value=False),
    ):
        return outcome(path)


def outcome(path: Path) -> Reading | WorkbookRejected:
    try:
        return read(path)
    except WorkbookRejected as rejected:
        return rejected


def same(path: Path) -> bool:
    ours, theirs = outcome(path), parsed(path)
    if isinstance(ours, WorkbookRejected) or isinstance(theirs, WorkbookRejected):
        return str(ours) == str(theirs)
    return ours == theirs


@pytest.mark.parametrize("name", sorted(p.name for p in CORPUS.glob("*.xlsx")))
def test_the_corpus_reads_the_same_by_shape_and_by_parser(name: str) -> None:
    assert same(CORPUS / name)


@settings(max_examples=40, deadline=None)
@given(layouts())
def test_random_layouts_read_the_same(
    layout: tuple[Workbook, dict[int, tuple[str, list[object]]], list[str], int],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.xlsx"
        layout[0].save(path)
        assert same(path)


STYLES = (
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts>'
    '<numFmt numFmtId="164" formatCode="000000"/><numFmt numFmtId="165" formatCode="yyyy/m/d"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="10"/>'
    '<xf numFmtId="44"/></cellXfs></styleSheet>'
)
STRINGS = (
    '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}</sst>'
).format(
    "".join(
        f"<si>{text}</si>"
        for text in (
            "<t>甲</t>", '<t xml:space="preserve"> 乙 </t>', "<t>A&amp;B &lt;丙&gt;</t>", "<t>&#20013;</t>",
            "<r><t>丁</t></r><r><rPr/><t>戊</t></r><rPh><t>x</t></rPh>", "<t>_x000D_己</t>", "<t/>", "<t></t>",
        )
    )
)  # fmt: skip
TEXT = st.sampled_from(["甲", "a b", " ", "_x0041_", "&amp;", "&#20013;", "=1+1", "合计", "x@y.cn"])
NUMBER = st.sampled_from(["1", "0", "-2.5", "1e3", "43891.75", "0.125", "6.22E+18", " 7 "])

ADDRESSES = [
    *[inline("B{n}", "p{n}@example.com")] * 3,
    '<c r="B{n}" t="str"><f>HYPERLINK("mailto:h{n}@example.com","写信")</f><v>写信</v></c>',
    '<c r="B{n}" t="str"><f>A{n}&amp;"@example.com"</f><v>f{n}@example.com</v></c>',
]


@st.composite
def cells(draw: st.DrawFn) -> str:
    """What stands between <c …> and the next cell, of every kind that files really hold."""
    style = draw(st.sampled_from(["", ' s="1"', ' s="2"', ' s="3"', ' s="4"', ' s="99"']))
    body = draw(st.integers(0, 10))
    number, text = draw(NUMBER), draw(TEXT)
    return (
        f"{style}/>",
        f"{style}><v>{number}</v></c>",
        f'{style} t="n"><v>{number}</v></c>',
        f'{style} t="s"><v>{draw(st.integers(0, 7))}</v></c>',
        f'{style} t="inlineStr"><is><t>{text}</t></is></c>',
        f'{style} t="str"><f>A1&amp;B1</f><v>{text}</v></c>',
        f"{style}><f>SUM(A1:B1)</f><v>{number}</v></c>",
        f'{style}><f t="shared" si="0"/><v>{number}</v></c>',
        f"{style}><f>A1</f></c>",
        f'{style} t="b"><v>1</v></c>',
        f'{style} t="e"><v>#N/A</v></c>',
    )[body]


@st.composite
def sheets(draw: st.DrawFn) -> bytes:
    """Rows that mostly repeat one another, written with and without what is optional."""
    rows = []
    kinds = draw(st.lists(st.lists(cells(), min_size=4, max_size=4), min_size=1, max_size=3))
    number = 1
    for _ in range(draw(st.integers(1, 12))):
        number += draw(st.sampled_from([1] * 40 + [2, 2, 0]))
        extra = draw(st.sampled_from(["", "", "", ' spans="1:6"', ' hidden="1"', ' ht="0"']))
        given = draw(st.sampled_from([f' r="{number}"'] * 40 + [""]))
        kept = [
            c
            for c in zip("CDEF", draw(st.sampled_from(kinds)), strict=True)
            if draw(st.integers(0, 5))
        ]
        body = "".join(f'<c r="{letter}{number}"{cell}' for letter, cell in kept)
        person = inline(f"A{number}", "人") + draw(st.sampled_from(ADDRESSES)).format(n=number)
        between = draw(
            st.sampled_from([""] * 40 + ["\n", "<!-- <row> -->", f'<row r="{number}"/>'])
        )
        rows.append(f"<row{given}{extra}>{person}{body}</row>{between}")
    header = (
        '<row r="1">' + inline("A1", "姓名") + inline("B1", "邮箱") + inline("C1", "项") + "</row>"
    )
    return rewritten(header + "".join(rows), draw(st.integers(0, 9)))


def rewritten(rows: str, how: int) -> bytes:
    sheet = zipfile.ZipFile(io.BytesIO(xlsx_of_sheet(rows))).read("xl/worksheets/sheet1.xml")
    if how == 1:
        sheet = b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\r\n' + sheet
    if how == 2:
        sheet = sheet.decode().encode("utf-16")
    if how == 3:
        sheet = b'<?xml version="1.0" encoding="GB18030"?>' + sheet.decode().encode("gb18030")
    return xlsx_with(
        {
            "xl/worksheets/sheet1.xml": sheet,
            "xl/styles.xml": STYLES,
            "xl/sharedStrings.xml": STRINGS,
            "xl/_rels/workbook.xml.rels": (
                '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
                '<Relationship Id="rId1" Type="http://x/worksheet" Target="worksheets/sheet1.xml"/>'
                '<Relationship Id="rId2" Type="http://x/styles" Target="styles.xml"/>'
                '<Relationship Id="rId3" Type="http://x/sharedStrings" Target="sharedStrings.xml"/>'
                "</Relationships>"
            ),
        }
    )


@settings(max_examples=100, deadline=None)
@given(sheets(), st.sampled_from([50, 700, 1 << 16]))
def test_rows_of_any_kind_read_the_same_however_the_bytes_arrive(
    content: bytes, chunk: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = saved(content, Path(folder))
        with mock.patch("campaigns.workbooks.package._CHUNK", chunk):
            assert same(path)


def test_plain_rows_never_reach_the_parser(tmp_path: Path) -> None:
    rows = "".join(
        f'<row r="{n}">{inline(f"A{n}", f"人{n}")}{inline(f"B{n}", f"p{n}@example.com")}<c r="C{n}"><v>{n}</v></c></row>'
        for n in range(2, 300)
    )
    header = TWO_ROWS.split('<row r="2">')[0]
    path = saved(xlsx_of_sheet(header + rows), tmp_path)
    with mock.patch.object(SheetReader, "_read_row") as slow:
        assert len(read(path).rows) == 298
    assert not slow.called


@pytest.mark.parametrize("index", ["99", "999999999"])
def test_a_text_that_is_missing_is_damage(tmp_path: Path, index: str) -> None:
    cell = f'<c r="C2" t="s"><v>{index}</v></c>'
    assert kind_of(xlsx_of_sheet(TWO_ROWS.format(c2=cell)), tmp_path) is RejectKind.DAMAGED


def test_half_a_character_pair_in_an_escape_is_no_crash(tmp_path: Path) -> None:
    reading = reading_of(
        xlsx_of_sheet(TWO_ROWS.format(c2=inline("C2", "a_xD83D__xDE00__xD83D_"))), tmp_path
    )
    assert reading.fields(reading.rows[0])["实发"] == "a😀\ufffd"


@given(st.text(st.sampled_from("合计总共制表小ab备注sum人:：1 ※张王李\u3000\u200b\n"), max_size=8))
def test_the_quick_look_at_a_label_misses_none(text: str) -> None:
    with mock.patch.object(words, "_IN_A_LABEL", words.re.compile("")):
        slowly = words.row_kind(text)
    assert words.row_kind(text) == slowly

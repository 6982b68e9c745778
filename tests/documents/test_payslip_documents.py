"""A payslip's file says what the sheet says, opens with its own password alone, and runs nothing."""

from __future__ import annotations

import io
import re
import threading

import msoffcrypto
import openpyxl
import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.documents.payslip_pdf import payslip_pdf
from campaigns.documents.payslip_xlsx import payslip_xlsx
from campaigns.documents.slip import LONGEST_TEXT, MOST_LINES, DocumentFault, Line, Slip
from tests.documents.reading import pdf_text, xlsx_cells

SECRET = "01123X"
CANARY = "13,579.24"
SLIP = Slip(
    title="2026年11月工资条",
    name="张三",
    lines=[
        Line("工号", "0042"),
        Line("基本工资", CANARY, "应发"),
        Line("奖金", "500.00", "应发"),
        Line("社保", "-300.00", "扣款"),
        Line("实发工资", "¥13,779.24", strong=True),
    ],
    company="鸿雁公司 人力资源部",
    note="含季度奖\n第二行",
    footer="请勿转发。",
)
HOSTILE = ['#panic("x")', "#set page(fill: red)", "*b* _i_ $x$ `c`", '"}, {"', "\\u{41} \\ //c", "<label> @ref"]  # fmt: skip


def changed(**values: object) -> Slip:
    named = {name: getattr(SLIP, name) for name in Slip.__slots__}
    return Slip(**(named | values))  # type: ignore[arg-type]


class TestThePdf:
    def test_a_reader_copies_out_of_it_what_the_sheet_says(self):
        assert pdf_text(payslip_pdf(SLIP, SECRET), SECRET).split("\n") == [
            "鸿雁公司 人力资源部", "2026年11月工资条", "张三",
            "工号 0042", "应发", f"基本工资 {CANARY}", "奖金 500.00", "扣款", "社保 -300.00",
            "实发工资 ¥13,779.24", "含季度奖", "第二行", "请勿转发。",
        ]  # fmt: skip

    @pytest.mark.parametrize("wrong", [None, "", "01123x", "01123", "01123X ", "admin"])
    def test_another_password_does_not_open_it(self, wrong):
        with pytest.raises(pypdfium2.PdfiumError, match="password"):
            pdf_text(payslip_pdf(SLIP, SECRET), wrong)

    def test_it_is_encrypted_with_aes_256_and_nothing_of_it_is_in_clear(self):
        document = payslip_pdf(SLIP, SECRET)
        with pikepdf.open(io.BytesIO(document), password=SECRET) as pdf:
            assert (pdf.encryption.R, pdf.encryption.V, pdf.encryption.bits) == (6, 5, 256)
            assert pdf.encryption.stream_method == pikepdf.models.EncryptionMethod.aesv3
            assert pdf.encryption.string_method == pikepdf.models.EncryptionMethod.aesv3
        for encoding in ("utf-8", "utf-16-be"):
            for text in ("张三", CANARY, "工资条"):
                assert text.encode(encoding) not in document

    @pytest.mark.parametrize("hostile", HOSTILE)
    def test_what_looks_like_typst_stays_text(self, hostile):
        slip = changed(
            title=hostile,
            name=hostile,
            company=hostile,
            note=hostile,
            footer=hostile,
            lines=[Line(hostile, hostile, hostile, strong=True)],
        )
        found = pdf_text(payslip_pdf(slip, SECRET), SECRET)
        assert found.count(hostile) == 8

    def test_a_long_slip_goes_on_over_pages(self):
        lines = [Line(f"项目{number}", f"{number}.00") for number in range(200)]
        document = payslip_pdf(changed(lines=lines), SECRET)
        assert "项目199 199.00" in pdf_text(document, SECRET)
        assert len(pypdfium2.PdfDocument(document, password=SECRET)) > 2

    def test_a_long_value_breaks_and_is_whole(self):
        value = "说明" * 400
        found = pdf_text(payslip_pdf(changed(lines=[Line("备注", value)]), SECRET), SECRET)
        assert found.replace("\n", "").count("说明") == 400

    def test_workers_in_threads_do_not_mix_up_their_people(self):
        made: dict[str, bytes] = {}

        def work(name: str) -> None:
            made[name] = payslip_pdf(changed(name=name), name)

        threads = [threading.Thread(target=work, args=(f"员工{n:04d}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(name in pdf_text(document, name) for name, document in made.items())

    @given(st.text(max_size=40), st.text(max_size=40))
    @settings(max_examples=40, deadline=None)
    def test_any_text_makes_a_document(self, label, value):
        slip = changed(lines=[Line(label, value, value, strong=True)], note=label, title=value)
        with pikepdf.open(io.BytesIO(payslip_pdf(slip, SECRET)), password=SECRET) as pdf:
            assert len(pdf.pages) >= 1


class TestTheWorkbook:
    def test_it_holds_the_slip_in_two_columns(self):
        rows = xlsx_cells(payslip_xlsx(SLIP, SECRET), SECRET)
        assert [row[0] for row in rows[:3]] == ["鸿雁公司 人力资源部", "2026年11月工资条", "张三"]
        assert rows[3:] == [
            ["工号", "0042"], ["应发", None], ["基本工资", CANARY], ["奖金", "500.00"],
            ["扣款", None], ["社保", "-300.00"], ["实发工资", "¥13,779.24"],
            ["含季度奖\n第二行", None], ["请勿转发。", None],
        ]  # fmt: skip

    def test_it_opens_with_its_own_password_alone(self):
        document = payslip_xlsx(SLIP, SECRET)
        assert msoffcrypto.OfficeFile(io.BytesIO(document)).is_encrypted()
        for wrong in ("01123x", "01123", "01123X "):
            with pytest.raises(msoffcrypto.exceptions.InvalidKeyError):
                xlsx_cells(document, wrong)

    def test_it_is_encrypted_with_aes_256(self):
        document = payslip_xlsx(SLIP, SECRET)
        assert re.search(rb'keyData [^>]*keyBits="256"[^>]*cipherAlgorithm="AES"', document)
        with pytest.raises(Exception, match="not a zip"):
            openpyxl.load_workbook(io.BytesIO(document))

    def test_what_looks_like_a_formula_stays_text(self):
        formula = '=HYPERLINK("http://evil.example","x")'
        document = payslip_xlsx(changed(lines=[Line(formula, formula)]), SECRET)
        opened, target = msoffcrypto.OfficeFile(io.BytesIO(document)), io.BytesIO()
        opened.load_key(password=SECRET)
        opened.decrypt(target)
        row = next(openpyxl.load_workbook(target).worksheets[0].iter_rows(min_row=4, max_row=4))
        assert [(cell.value, cell.data_type) for cell in row] == [(formula, "s")] * 2


@pytest.mark.parametrize("make", [payslip_pdf, payslip_xlsx])
class TestEither:
    def test_it_is_never_made_without_a_password(self, make):
        with pytest.raises(DocumentFault) as fault:
            make(SLIP, "")
        assert fault.value.kind == "password"

    def test_it_refuses_what_is_no_payslip(self, make):
        with pytest.raises(DocumentFault) as fault:
            make(changed(lines=[Line("a", "b")] * (MOST_LINES + 1)), SECRET)
        assert fault.value.kind == "lines"
        with pytest.raises(DocumentFault) as fault:
            make(changed(lines=[Line("a", "b" * (LONGEST_TEXT + 1))]), SECRET)
        assert fault.value.kind == "length"

    def test_characters_that_no_document_can_show_are_left_out(self, make):
        document = make(changed(name="张\x00\x1b\ud800三\ufffe"), SECRET)
        if make is payslip_pdf:
            assert "张三" in pdf_text(document, SECRET)
        else:
            assert xlsx_cells(document, SECRET)[2][0] == "张三"

    def test_empty_parts_leave_no_trace(self, make):
        document = make(Slip("工资条", "", [Line("实发", "1.00")]), SECRET)
        if make is payslip_pdf:
            assert pdf_text(document, SECRET) == "工资条\n实发 1.00"
        else:
            assert xlsx_cells(document, SECRET) == [["工资条", None], ["实发", "1.00"]]


def test_a_group_that_is_interrupted_begins_anew():
    lines = [Line("a", "1", "x"), Line("b", "2", "y"), Line("c", "3", "x")]
    assert [name for name, _lines in changed(lines=lines).grouped()] == ["x", "y", "x"]

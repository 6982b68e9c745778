"""The payslip that comes with the product shows the whole row, and needs no field of its own."""

import re
from html.parser import HTMLParser

import pytest

from campaigns.mailer.payslip_template import default_newsletter, default_payslip
from campaigns.mailer.template import (
    Cell,
    Renderer,
    RenderError,
    TemplateSource,
    check,
    empty_fields,
    extras_used,
    fields_used,
)

ROWS = [
    Cell("工号", "0042"), Cell("应发项目/基本工资", "8,000.00"), Cell("应发项目/奖金", "500.00"),
    Cell("应发项目/补贴", ""), Cell("扣款项目/社保", "-300.00"), Cell("实发工资", "8,200.00"),
]  # fmt: skip
EXTRA = {
    "title": "2026年11月工资条",
    "name": "张三",
    "note": "<本月>含季度奖",
    "sender_name": "李四",
}


def payslip(**changes: str):
    return Renderer(default_payslip()).render({}, rows=ROWS, extra=EXTRA | changes)


class Table(HTMLParser):
    """The texts of the rows of the innermost table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


@pytest.mark.parametrize("source", [default_payslip(), default_newsletter()])
def test_it_has_no_faults_and_fits_every_workbook(source):
    assert check(source, set()) == []
    assert fields_used(source) == set()
    assert empty_fields(source, {}) == []


def test_it_shows_the_row_in_two_columns_by_group():
    assert Table(payslip().html).rows[2:-1] == [
        ["工号", "0042"], ["应发项目"], ["基本工资", "8,000.00"], ["奖金", "500.00"],
        ["扣款项目"], ["社保", "-300.00"], ["实发工资", "8,200.00"],
    ]  # fmt: skip


def test_the_net_sum_is_bold_and_nothing_else():
    assert re.findall(r"<b>(.*?)</b>", payslip().html) == ["实发工资", "8,200.00"]


def test_its_text_part_reads_like_a_letter():
    assert payslip().text == (
        "2026年11月工资条\n\n张三，您好：\n\n以下是您的工资明细，请核对。\n\n"
        "工号  0042\n应发项目\n基本工资  8,000.00\n奖金  500.00\n扣款项目\n社保  -300.00\n实发工资  8,200.00\n\n"
        "<本月>含季度奖\n\n工资信息属个人隐私，请勿转发。如有疑问，请直接联系人力资源部（李四）。\n"
    )


def test_with_a_hint_the_slip_is_an_attachment_and_the_hint_stands_in_its_place():
    hint = {"password_hint": "打开附件的密码是您的身份证号的后 6 位。", "note": ""}
    letter = Renderer(default_payslip()).render({}, rows=[], extra=EXTRA | hint)
    assert letter.text == (
        "2026年11月工资条\n\n张三，您好：\n\n您的工资明细在附件里，请核对。\n\n打开附件的密码是您的身份证号的后 6 位。\n\n"
        "工资信息属个人隐私，请勿转发。如有疑问，请直接联系人力资源部（李四）。\n"
    )
    assert payslip().html.count("附件") == 0


def test_a_template_tells_which_names_of_ours_it_uses():
    assert extras_used(default_payslip()) == {
        "title",
        "name",
        "note",
        "sender_name",
        "password_hint",
        "confirm_url",
        "correction",
    }
    assert extras_used(TemplateSource("{{ 姓名 }}", '{{ row["password_hint"] }}')) == set()


def test_a_button_leads_to_the_page_of_the_slip_where_there_is_one():
    letter = payslip(confirm_url="https://corp.example/slip/abc")
    assert 'href="https:&#x2f;&#x2f;corp.example&#x2f;slip&#x2f;abc"' in letter.html
    assert "[查看并确认工资条](https://corp.example/slip/abc)" in letter.text
    assert "查看并确认" not in payslip().html + payslip().text


def test_a_correction_says_what_it_replaces():
    assert (
        "更正：这一份代替“十一月<工资>”，请以这一份为准。"
        in payslip(correction="“十一月<工资>”").text
    )
    assert "更正" not in payslip().text


def test_the_note_is_escaped_and_left_out_where_there_is_none():
    assert "&lt;本月&gt;含季度奖" in payslip().html
    assert 'class="note"' not in payslip(note="").html


def test_its_styles_are_inline_and_dark_mode_stays_a_rule():
    html = payslip().html
    assert re.search(r'<td class="value"[^>]* style="[^"]*text-align: ?right', html)
    assert "@media (prefers-color-scheme: dark)" in html
    assert "<!--[if mso]>" in html


def test_no_width_keeps_it_from_fitting_a_phone():
    html = re.sub(r"<!--.*?-->", "", payslip().html, flags=re.S)
    assert {width for width in re.findall(r'width="(\d+)"', html) if int(width) > 360} == set()
    assert set(re.findall(r"(?<!max-)width: ?(\d+px)", html)) == set()


def test_it_is_small_enough_for_gmail_which_cuts_at_102_kb():
    assert (
        len(Renderer(default_payslip()).render({}, rows=ROWS * 12, extra=EXTRA).html.encode())
        < 60_000
    )


def test_it_has_no_remote_image_and_no_link():
    assert "http" not in payslip().html
    assert "<img" not in payslip().html


def test_the_newsletter_needs_its_unsubscribe_link():
    renderer = Renderer(default_newsletter())
    with pytest.raises(RenderError) as error:
        renderer.render({}, extra={"title": "资讯"})
    assert error.value.field == "unsubscribe_url"
    done = renderer.render(
        {}, extra={"title": "资讯", "unsubscribe_url": "https://corp.example/u/abc"}
    )
    assert 'href="https:&#x2f;&#x2f;corp.example&#x2f;u&#x2f;abc"' in done.html
    assert "[退订](https://corp.example/u/abc)" in done.text

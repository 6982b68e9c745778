"""The lint of a finished message: each fault is found in a message that has it, and a good one is clean."""

from __future__ import annotations

import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.lint import LintFinding, lint
from campaigns.mailer.lint_page import read_page

LEAVE = "https://mail.example.com/u/abc"
WORDS = "本月新品已经上架，欢迎您到门店看看，会员可以先试后买，活动到月底为止，详情请看下面的链接。"
GOOD = f'<p>{WORDS}</p><img src="https://example.com/a.png" alt="新品"><p><a href="https://example.com/new">看新品</a> <a href="{LEAVE}">退订</a></p>'


def message(html: str = GOOD, text: str | None = None, **headers: str) -> bytes:
    made = EmailMessage()
    given = {"Subject": "十一月新品", "List-Unsubscribe": f"<{LEAVE}>"} | headers
    for name, value in given.items():
        made[name.replace("_", "-")] = value
    plain = f"{WORDS} 看新品 https://example.com/new 退订 {LEAVE}" if text is None else text
    if plain:
        made.set_content(plain, charset="utf-8")
        made.add_alternative(html, subtype="html", charset="utf-8")
    else:
        made.set_content(html, subtype="html", charset="utf-8")
    return bytes(made)


def found(content: bytes, *, newsletter: bool = True) -> dict[str, LintFinding]:
    return {finding.kind: finding for finding in lint(content, newsletter=newsletter)}


def test_a_good_message_is_clean() -> None:
    assert found(message()) == {}


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        (GOOD.replace(' alt="新品"', ""), "no_alt"),
        (GOOD.replace("https://example.com/a.png", "data:image/png;base64,AAAA"), "data_image"),
        (GOOD + '<a href="#">点这里</a>', "link_nowhere"),
        (GOOD + '<a href="https://evil.example/x">https://www.bank.com/login</a>', "link_differs"),
        (GOOD + '<a href="https://evil.example/x">bank.com</a>', "link_differs"),
        (GOOD + '<a href="https://t.cn/abc">看这里</a>', "link_shortened"),
        (GOOD + '<a href="https://192.0.2.1/a">看这里</a>', "link_number"),
        (GOOD + '<a href="http://example.com/a">看这里</a>', "link_plain"),
        (GOOD + '<a href="https://example.com/a"></a>', "link_nameless"),
        (GOOD + "<p>" + "<!-- -->" * 15_000 + "</p>", "gmail_clip"),
        (GOOD.replace(LEAVE, "https://example.com/else"), "no_unsubscribe_link"),
    ],
)
def test_a_fault_of_the_html_is_named(html: str, kind: str) -> None:
    assert list(found(message(html))) == [kind]


@pytest.mark.parametrize(
    "link",
    [
        '<a href="https://www.example.com/a">example.com</a>',
        '<a href="https://example.com/a">https://example.com/a?b=1</a>',
        '<a href="mailto:a@example.com">a@example.com</a>',
        '<a href="https://example.com/a">版本 2.0 发布</a>',
    ],
)
def test_a_link_that_leads_where_it_says_is_fine(link: str) -> None:
    assert found(message(GOOD + link)) == {}


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("最后一天！！！", "subject_shouts"),
        ("BUY NOW BEFORE ITS LATE", "subject_shouts"),
        ("回复：您的订单", "subject_pretends"),
        ("长" * 61, "subject_long"),
    ],
)
def test_a_fault_of_the_subject_is_named(subject: str, kind: str) -> None:
    assert list(found(message(Subject=subject))) == [kind]


def test_the_two_parts_must_say_the_same() -> None:
    assert "no_text" in found(message(text=""))
    other = f"This is another letter about something else entirely {LEAVE}"
    assert {"text_lacks", "html_lacks"} <= found(message(text=other)).keys()


def test_hidden_preview_text_is_no_word_of_the_message() -> None:
    hidden = '<div style="display: none">' + "只在收件箱里看得到的预览文字很长很长" * 9 + "</div>"
    assert found(message(hidden + GOOD)) == {}
    assert read_page("<div hidden><p>a</div>b").words == "b"


def test_a_message_of_pictures_alone_is_named() -> None:
    html = f'<img src="https://e.com/a.png" alt="看"><a href="{LEAVE}">退订</a>'
    assert list(found(message(html, f"看 退订 {LEAVE}"))) == ["image_only"]


def test_a_payslip_needs_no_unsubscribe() -> None:
    bare = message(f"<p>{WORDS}</p>", WORDS).replace(b"List-Unsubscribe", b"X-Nothing")
    assert found(bare, newsletter=False) == {}
    assert "no_unsubscribe_header" in found(bare)


def test_the_text_part_needs_the_unsubscribe_link_too() -> None:
    assert found(message(text=WORDS + " 看新品 退订"))["no_unsubscribe_link"].params == {
        "part": "text"
    }


def test_a_big_picture_that_is_sent_along_is_named() -> None:
    made = EmailMessage()
    made.set_content("看图")
    made.add_attachment(b"\0" * 400_000, maintype="image", subtype="png", filename="海报.png")
    assert found(bytes(made))["big_picture"].places == ("海报.png (390 kB)",)


def test_many_places_are_counted_and_the_first_ones_listed() -> None:
    html = GOOD + "".join(f'<img src="https://example.com/{n}.png">' for n in range(30))
    finding = found(message(html))["no_alt"]
    assert (finding.total, len(finding.places)) == (30, 10)


@given(st.text(alphabet="<>a/imgsrc=\"' hef#.:-!&;\u4e2d", max_size=400))
def test_no_markup_is_too_odd(html: str) -> None:
    lint(message(html), newsletter=True)


@pytest.mark.parametrize("piece", ["<a href=", "<div hidden>", "a.", "http://", "!" * 3, "<img "])
def test_hostile_markup_costs_little(piece: str) -> None:
    content = message(piece * (200_000 // len(piece)), Subject="a." * 400)
    before = time.process_time()
    lint(content, newsletter=True)
    assert time.process_time() - before < 3

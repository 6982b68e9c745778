"""Links of a template are found once, and replaced in every message."""

from __future__ import annotations

import html as markup
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.link_marks import LinkMarks
from campaigns.mailer.template import Renderer, TemplateSource

SHOP = "https://shop.example"
LETTER = f"""<style>a {{ color: red }}</style>
<p>{{{{ 姓名 }}}} <a class="b" href="{SHOP}/a?x=1&amp;y=2">甲</a>
<a href='{SHOP}/{{{{ 编号 }}}}'>乙</a> <a href="{{{{ 链接 }}}}">丙</a>
<a href="{{{{ unsubscribe_url }}}}">退订</a> <a href="mailto:a@shop.example">信</a> <a href="#top">顶</a>
<a href="{SHOP}/seen">https://shop.example/seen</a> <a href="{SHOP}/a?x=1&amp;y=2"><b>又</b></a></p>"""
VALUES = {"姓名": "王", "编号": "7&8", "链接": "https://own.example/王?a=1&b=2"}
OWN = {"unsubscribe_url": "https://h.example/u/x"}


def made(number: int, target: str) -> str:
    return f"https://t.example/{number}?{len(target)}"


def rendered(
    html: str, text: str = "", *, picture: bool = False, values: dict[str, str] = VALUES
) -> tuple[LinkMarks, str, str]:
    marks = LinkMarks("k3y", picture=picture)
    found = Renderer(TemplateSource("s", html, text), mark=marks.mark).render(values, extra=OWN)
    return marks, *marks.replaced(found.html, found.text, made)


def test_it_numbers_targets_as_they_are_written() -> None:
    marks, _html, _text = rendered(LETTER)
    assert marks.targets == [f"{SHOP}/a?x=1&y=2", f"{SHOP}/{{{{ 编号 }}}}", "{{ 链接 }}"]


def test_it_replaces_each_with_the_target_that_this_reader_has() -> None:
    seen: list[tuple[int, str]] = []
    marks = LinkMarks("k3y", picture=False)
    found = Renderer(TemplateSource("s", LETTER), mark=marks.mark).render(VALUES, extra=OWN)
    html, text = marks.replaced(found.html, found.text, lambda *link: seen.append(link) or "T")
    expected = [
        (1, f"{SHOP}/a?x=1&y=2"),
        (2, f"{SHOP}/7&8"),
        (3, VALUES["链接"]),
        (1, f"{SHOP}/a?x=1&y=2"),
    ]
    assert seen == expected * 2
    assert html.count('href="T"') == 4
    assert text.count("(T)") == 4


def test_it_leaves_alone_what_is_ours_what_is_no_web_and_what_shows_its_address() -> None:
    _marks, html, text = rendered(LETTER)
    for target in (OWN["unsubscribe_url"], "mailto:a@shop.example", "#top", f"{SHOP}/seen"):
        assert f'href="{target}"' in markup.unescape(html)
    assert f"({SHOP}/seen)" in text
    assert f"({OWN['unsubscribe_url']})" in text


def test_an_address_that_stays_is_written_as_it_was() -> None:
    marks = LinkMarks("k3y", picture=False)
    plain = Renderer(TemplateSource("s", LETTER)).render(VALUES, extra=OWN)
    found = Renderer(TemplateSource("s", LETTER), mark=marks.mark).render(VALUES, extra=OWN)
    both = marks.replaced(found.html, found.text, lambda _number, target: target)
    assert both == (plain.html, plain.text)


def test_an_address_is_escaped_in_html_alone() -> None:
    marks = LinkMarks("k3y", picture=False)
    found = Renderer(TemplateSource("s", LETTER), mark=marks.mark).render(VALUES, extra=OWN)
    html, text = marks.replaced(found.html, found.text, lambda *_link: 'https://t/?a&b"')
    assert 'href="https://t/?a&amp;b&quot;"' in html
    assert '(https://t/?a&b")' in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("见 https://shop.example/x。好", "见 T。好"),
        ("（https://shop.example/x）", "（T）"),
        ("See https://shop.example/x.", "See T."),
        ("(https://shop.example/wiki_(a))", "(T)"),
        ("<https://shop.example/x>", "<T>"),
        ("{% if 编号 %}https://shop.example/x{% endif %}!", "T!"),
        ("https://shop.example/{{ 编号 }}/y", "T"),
        ("{{ unsubscribe_url }} http://a.example", "https://h.example/u/x T"),
        ("{{ 链接 }}", VALUES["链接"]),
    ],
)
def test_it_finds_addresses_in_running_text(text: str, expected: str) -> None:
    marks = LinkMarks("k3y", picture=False)
    source = TemplateSource("s", "<p>a</p>", text)
    found = Renderer(source, mark=marks.mark).render(VALUES, extra=OWN)
    assert marks.replaced(found.html, found.text, lambda *_link: "T")[1].strip() == expected


def test_a_field_alone_is_a_link_in_the_text_where_the_html_links_it() -> None:
    _marks, _html, text = rendered('<a href="{{ 链接 }}">x</a>', "看 {{ 链接 }}")
    assert text.strip() == f"看 {made(1, VALUES['链接'])}"


def test_a_value_cannot_pretend_to_be_a_mark() -> None:
    forged = "\ue0f1other1\ue0f2https://evil.example\ue0f3other"
    _marks, html, _text = rendered(LETTER, values=VALUES | {"姓名": forged, "链接": forged})
    assert "https://t.example/1" in html
    assert html.count("evil.example") == 1  # in the name, which is text


def test_the_picture_ends_the_body_once() -> None:
    _marks, html, text = rendered("<p>a</p>", picture=True)
    assert html.count("<img") == 1
    assert html.index("<img") < html.index("</body>")
    assert 'src="https://t.example/0?0"' in html
    assert "t.example" not in text


@given(
    st.lists(
        st.sampled_from(["<a ", 'href="', '"', "'", ">", "https://x.example/", "<v:rect ", "x"]),
        max_size=60,
    )
)
def test_odd_markup_raises_nothing(pieces: list[str]) -> None:
    LinkMarks("k3y", picture=True).mark("".join(pieces), "".join(pieces))


def test_hostile_markup_costs_little() -> None:
    for piece in ('<a "', "<a '\"", "<a x=", "<a href='", "https://", "(https://x.example", ")"):
        LinkMarks("k3y", picture=True).mark(piece * 20_000, "https://x.example" + piece * 10_000)


def test_a_line_of_brackets_takes_no_square_of_its_length() -> None:
    begun = time.process_time()
    LinkMarks("w", picture=False).mark("", "https://x" + ")" * 200_000)
    assert time.process_time() - begun < 1

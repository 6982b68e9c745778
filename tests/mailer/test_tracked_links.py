"""A tracked address leads where we said when we made it, and nowhere else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.tokens import Tokens
from campaigns.mailer.tracked_links import Followed, TrackedLinks, trackable

OLD, NEW = b"o" * 32, b"n" * 32
LINKS = TrackedLinks("https://mail.corp.example/app/", Tokens([NEW, OLD]))
TARGET = "https://shop.example/a?b=1&c=%E4%B8%AD#d"


def token_of(url: str) -> str:
    assert url.startswith("https://mail.corp.example/app/t/")
    return url.rpartition("/")[2]


def test_it_reads_what_it_made_of_a_link_and_of_the_picture() -> None:
    assert LINKS.read(token_of(LINKS.click(7, 300, 2, TARGET))) == Followed(7, 300, 2, TARGET)
    assert LINKS.read(token_of(LINKS.opened(7, 300))) == Followed(7, 300, 0, "")
    assert LINKS.opened(7, 300).endswith(".gif")


def test_the_aggregated_address_is_the_same_for_everybody() -> None:
    assert LINKS.click(7, 0, 2, TARGET) == LINKS.click(7, 0, 2, TARGET)
    assert LINKS.read(token_of(LINKS.click(7, 0, 2, TARGET))).delivery == 0


def test_an_old_key_still_reads_and_a_foreign_one_does_not() -> None:
    old = TrackedLinks("https://mail.corp.example/app", Tokens([OLD])).click(1, 2, 3, TARGET)
    assert LINKS.read(token_of(old)) == Followed(1, 2, 3, TARGET)
    foreign = TrackedLinks("https://mail.corp.example/app", Tokens([b"f" * 32]))
    assert LINKS.read(token_of(foreign.click(1, 2, 3, TARGET))) is None


def test_a_token_of_another_purpose_is_none() -> None:
    sealed = Tokens([NEW]).seal("unsubscribe", b"\x03\x01\x02\x03" + TARGET.encode())
    assert LINKS.read(base64.urlsafe_b64encode(sealed).decode().rstrip("=")) is None


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "//evil.example", "data:text/html,x", ""]
)
def test_what_is_signed_leads_to_the_web_alone(target: str) -> None:
    assert LINKS.read(LINKS._token(1, 2, 3, target)) is None


def test_an_address_of_the_picture_is_none_of_a_link() -> None:
    click, opened = token_of(LINKS.click(1, 2, 3, TARGET)), token_of(LINKS.opened(1, 2))
    assert LINKS.read(f"{click}.gif") is None
    assert LINKS.read(opened.removesuffix(".gif")) is None


@given(st.integers(0, 200), st.integers(1, 255))
def test_every_changed_octet_breaks_it(place: int, change: int) -> None:
    octets = bytearray(base64.urlsafe_b64decode(token_of(LINKS.click(7, 300, 2, TARGET)) + "=="))
    octets[place % len(octets)] ^= change
    assert LINKS.read(base64.urlsafe_b64encode(bytes(octets)).decode().rstrip("=")) is None


@given(st.text(max_size=80))
def test_nonsense_is_nothing_and_raises_nothing(text: str) -> None:
    assert LINKS.read(text) is None


@pytest.mark.parametrize(
    ("written", "signed"),
    [
        ("HTTPS://Shop.example/A", "https://Shop.example/A"),
        ("https://shop.example/中?q=文", "https://shop.example/%E4%B8%AD?q=%E6%96%87"),
        ("https://shop.example/a%20b?x=1&y=2#f", "https://shop.example/a%20b?x=1&y=2#f"),
    ],
)
def test_a_target_is_written_as_location_wants_it(written: str, signed: str) -> None:
    assert trackable(written) == signed


@pytest.mark.parametrize(
    "target",
    [
        "mailto:a@b.example",
        "https:///path",
        "https://user:pw@shop.example/",
        "https://店.example/",
        "https://shop.example/\r\nSet-Cookie: a=b",
        "https://shop.example/a b",
        "https://shop.example\\@evil.example/",
        "https://[::1/",
        "https://shop.example/" + "a" * 2000,
        "ftp://shop.example/",
        "",
    ],
)
def test_it_leaves_alone_what_is_no_plain_web_address(target: str) -> None:
    assert trackable(target) is None


def test_own_pages_are_known_as_own() -> None:
    assert LINKS.is_own("https://MAIL.corp.example/app/u/abc")
    assert LINKS.is_own("https://mail.corp.example/app")
    assert not LINKS.is_own("https://mail.corp.example/apple")
    assert not LINKS.is_own("https://mail.corp.example.evil.example/app/")

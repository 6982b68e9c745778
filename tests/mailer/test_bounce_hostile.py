"""Mail made to exhaust a reader: nothing raises, nothing takes long, nothing takes much memory."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import campaigns.mailer.bounces
from campaigns.mailer import arf, bounce, dsn
from campaigns.mailer.bounces.parts import MAX_DEPTH, MAX_PARTS, read_parts
from campaigns.mailer.bounces.texts import from_html, header_text
from campaigns.mailer.bounces.verdict import BY_TEXT

LENGTH = 100_000
MULTIPART = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=%b\n\n"


def nested(levels: int) -> bytes:
    opened = b"".join(MULTIPART % f"b{n}".encode() + f"--b{n}\n".encode() for n in range(levels))
    return b"From: MAILER-DAEMON@x\nSubject: failure notice\n" + opened


def wide(parts: int) -> bytes:
    return MULTIPART % b"b" + b"--b\nContent-Type: text/plain\n\nfailed a@x.example\n" * parts


BOMBS = {
    "ten thousand nested parts": nested(10_000),
    "ten thousand parts side by side": wide(10_000),
    "a boundary on every line": MULTIPART % b"b" + b"--b\n" * 500_000,
    "no line is the boundary": MULTIPART % b"b" + b"x--b" * 500_000,
    "a hundred megabytes of base64": b"From: MAILER-DAEMON@x\nSubject: failure notice\n"
    b"Content-Transfer-Encoding: base64\n\n" + b"QUFB" * (25 * 1024 * 1024),
    "an endless header": b"Subject: " + b"a" * 20_000_000,
    "an endless folded header": b"To: a@x.example\n" + b" a@x.example,\n" * 1_000_000,
    "a million headers": b"X-A: b\n" * 1_000_000,
    "only angle brackets": b"Content-Type: text/html\n\n" + b"<" * 3_000_000,
    "styles never closed": b"Content-Type: text/html\n\n" + b"<style>" * 400_000,
    "encoded words": b"Subject: " + b"=?utf-8?b?QUFB?= " * 200_000,
    "only at signs": b"From: MAILER-DAEMON@x\nSubject: failure notice\n\n" + b"a@" * 1_000_000,
    "addresses": b"From: MAILER-DAEMON@x\nSubject: failure notice\n\n"
    + b"".join(b"<a%d@x.example>: user unknown\n" % n for n in range(60_000)),
    "json in json": b"From: no-reply@sns.example\n\n" + b'{"notificationType":' + b"[" * 500_000,
    "status fields": MULTIPART.replace(b"mixed", b"report") % b"b"
    + b"--b\nContent-Type: message/delivery-status\n\n"
    + b"Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n\n" * 20_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_bomb_takes_long_or_much(name: str) -> None:
    raw = BOMBS[name]
    started = time.process_time()
    assert bounce.read(raw).kind
    assert time.process_time() - started < 3.0
    tracemalloc.start()
    try:
        bounce.read(raw)
        assert tracemalloc.get_traced_memory()[1] < 60 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_depth_and_number_of_parts_are_capped() -> None:
    assert _depth(nested(1000)) <= MAX_DEPTH
    assert len(list(read_parts(wide(1000)).walk())) <= MAX_PARTS


def _depth(raw: bytes) -> int:
    part, depth = read_parts(raw), 0
    while part.parts:
        part, depth = part.parts[0], depth + 1
    return depth


# --- every pattern


def modules() -> Iterator[object]:
    package = campaigns.mailer.bounces
    yield from (dsn, arf)
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        yield importlib.import_module(found.name)


def patterns() -> Iterator[re.Pattern[str] | re.Pattern[bytes]]:
    for module in modules():
        for value in vars(module).values():
            if isinstance(value, re.Pattern):
                yield value
            elif dataclasses.is_dataclass(value) and not isinstance(value, type):
                fields = (getattr(value, f.name) for f in dataclasses.fields(value))
                yield from (f for f in fields if isinstance(f, re.Pattern))


PATTERNS = sorted(set(patterns()), key=lambda p: str(p.pattern))
UNITS = [
    "a", " ", "<", "\t", "\n", "@", "a@", "=", "-", ".", "5.", "1", ";", '"', "(", ":", "=?", "&",
    "a ", "\n ", "<a", "to ", "to: ", "550 ", "a.", "re:", "收", "after the ", ">>> ", "<br ", "--",
]  # fmt: skip


def test_there_are_patterns_to_try() -> None:
    assert len(PATTERNS) > 25


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: str(p.pattern)[:40])
def test_no_pattern_is_slow_on_a_hundred_kilobytes(
    pattern: re.Pattern[str] | re.Pattern[bytes],
) -> None:
    for unit in UNITS:
        text = unit * (LENGTH // len(unit))
        subject = text.encode()[:LENGTH] if isinstance(pattern.pattern, bytes) else text
        took = min(_seconds(pattern, subject) for _ in range(2))
        assert took < 0.1, unit


def _seconds(pattern: re.Pattern, subject: str | bytes) -> float:  # type: ignore[type-arg]
    started = time.process_time()
    for found, _ in zip(pattern.finditer(subject), range(50_000), strict=False):  # type: ignore[arg-type]
        assert found is not None
    pattern.match(subject)  # type: ignore[arg-type]
    return time.process_time() - started


@pytest.mark.parametrize("unit", UNITS)
def test_no_text_makes_the_phrases_slow(unit: str) -> None:
    text = unit * (LENGTH // len(unit))
    started = time.process_time()
    assert sum(cause.said_in(text) for cause in BY_TEXT) <= len(BY_TEXT)
    assert time.process_time() - started < 1.0


# --- any bytes

HEADS = st.sampled_from(
    [
        b"",
        b"From: MAILER-DAEMON@x\nSubject: failure notice\n\n",
        MULTIPART.replace(b"mixed", b"report") % b"b" + b"--b\n",
        b"Content-Type: text/html; charset=gb2312\nContent-Transfer-Encoding: base64\n\n",
        b"Content-Type: text/plain; charset=utf-7\n\n",
        b"Content-Transfer-Encoding: quoted-printable\nSubject: =?x?q?",
        b"Content-Type: message/delivery-status\n\nFinal-Recipient: ",
        b'{"notificationType":"Bounce","bounce":',
    ]
)


@given(HEADS, st.binary(max_size=400))
def test_no_bytes_raise(head: bytes, body: bytes) -> None:
    assert bounce.read(head + body).kind


@given(st.text(max_size=200))
def test_no_text_raises_on_its_way_from_html_or_a_header(text: str) -> None:
    assert isinstance(from_html(text), str)
    assert isinstance(header_text(f"=?{text}?="), str)


@pytest.mark.parametrize("charset", ["hex", "rot13", "zip", "idna", "punycode", "utf-16", "x", ""])
def test_a_charset_that_is_none_is_not_used(charset: str) -> None:
    raw = f"Content-Type: text/plain; charset={charset}\n\nhello\n".encode()
    assert bounce.read(raw).kind == "ordinary"

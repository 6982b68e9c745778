"""A lint of a finished message: what would make a reader, or a filter, turn away from it.

Works on the octets that are sent (RFC 5322, MIME), so that it sees what a receiver sees. A finding is a
kind with parameters; the Django side says it in the reader's language.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast
from urllib.parse import urlsplit

from campaigns.mailer.lint_page import Page, read_page
from campaigns.mailer.outbound import is_loopback

#: Gmail shows this much of an HTML part, in octets, and hides the rest behind a link.
GMAIL_CLIP = 102 * 1024
#: Octets of a picture that is sent along; a phone on a train waits for it.
BIG_PICTURE = 300 * 1024
#: A message beside pictures needs at least so many words or Chinese characters.
FEW_WORDS = 20
#: The share of the words of one part that the other one may lack.
MOST_MISSING = 0.4
#: Characters of a subject that a phone shows.
LONG_SUBJECT = 60
LISTED = 10

_SHORTENERS = frozenset(
    (
        *("bit.ly", "goo.gl", "is.gd", "ow.ly", "t.cn", "tinyurl.com", "dwz.cn", "suo.im"),
        *("url.cn", "w.url.cn", "rb.gy", "cutt.ly", "985.so"),
    )
)
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"']+", re.I)
_LOOKS_LIKE_HOST = re.compile(
    r"(?:https?://)?((?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24})(?::\d{1,5})?(?:[/?#]\S*)?", re.I
)
_WORD = re.compile(r"[\u3400-\u9fff\uac00-\ud7af\u3040-\u30ff]|[^\W\d_]{2,}|\d{2,}")
_SHOUTED = re.compile(r"[!！]{2,}|[￥$¥]{3,}|[?？]{3,}")


@dataclass(frozen=True)
class LintFinding:
    """`kind` names the fault; `params` its figures; `places` the pictures or links that are meant."""

    kind: str
    params: dict[str, str | int] = field(default_factory=dict)
    places: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return int(self.params.get("total", len(self.places)))


def lint(content: bytes, *, newsletter: bool) -> list[LintFinding]:
    """All findings for one message as it is sent; an empty list is what one hopes for.

    `newsletter`: it must let its reader unsubscribe (RFC 2369, 8058). Raises nothing for odd messages.
    """
    message = message_from_bytes(content, policy=default)
    html, text = _part(message, "html"), _part(message, "plain")
    page = read_page(html or "")
    found = [*_subject(str(message.get("Subject", ""))), *_parts(page, html, text)]
    found += _pictures(page, message)
    found += _links(page)
    if newsletter:
        found += _unsubscribe(message, page, text or "")
    return found


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # a charset that nobody knows
        return ""


def _subject(subject: str) -> Iterator[LintFinding]:
    if len(subject) > LONG_SUBJECT:
        yield LintFinding("subject_long", {"length": len(subject), "most": LONG_SUBJECT})
    letters = [letter for letter in subject if letter.isascii() and letter.isalpha()]
    upper = sum(letter.isupper() for letter in letters)
    if _SHOUTED.search(subject) or (len(letters) >= 10 and upper > 0.8 * len(letters)):
        yield LintFinding("subject_shouts")
    if re.match(r"\s*(?:re|fw|fwd|回复|转发|答复)\s*[:：]", subject, re.I):
        yield LintFinding("subject_pretends")


def _parts(page: Page, html: str | None, text: str | None) -> Iterator[LintFinding]:
    """Size, and whether both parts say the same."""
    if html is not None and len(html.encode()) > GMAIL_CLIP:
        yield LintFinding("gmail_clip", {"kb": len(html.encode()) // 1024, "most": 102})
    if html is None:
        return
    if text is None or not text.strip():
        yield LintFinding("no_text")
        return
    seen, written = _words(page.words), _words(text)
    if len(seen) < FEW_WORDS and len(written) < FEW_WORDS:
        return
    for kind, one, other in (("text_lacks", seen, written), ("html_lacks", written, seen)):
        share = len(one - other) / max(1, len(one))
        if share > MOST_MISSING:
            yield LintFinding(kind, {"percent": round(100 * share)})


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_ADDRESS.sub(" ", text).casefold()))


def _pictures(page: Page, message: EmailMessage) -> Iterator[LintFinding]:
    nameless = [_short(one.source) for one in page.pictures if one.alt is None]
    if nameless:
        yield _listed("no_alt", nameless)
    spoken = _WORD.findall(page.words)
    if page.pictures and len(spoken) < FEW_WORDS:
        yield LintFinding("image_only", {"words": len(spoken)})
    if any(one.source.lower().startswith("data:") for one in page.pictures):
        yield LintFinding("data_image")
    big = [
        f"{part.get_filename() or part.get_content_type()} ({octets // 1024} kB)"
        for part in message.walk()
        if part.get_content_maintype() == "image"
        and (octets := len(cast(bytes, part.get_payload(decode=True) or b""))) > BIG_PICTURE
    ]
    big += [
        f"{one.source[:24]}… ({len(one.source) * 3 // 4096} kB)"
        for one in page.pictures
        if one.source.lower().startswith("data:") and len(one.source) * 3 // 4 > BIG_PICTURE
    ]
    if big:
        yield _listed("big_picture", big)


def _links(page: Page) -> Iterator[LintFinding]:
    found: dict[str, list[str]] = {}
    for link in page.links:
        for kind in _faults_of(link.target, " ".join(link.words.split())):
            words = " ".join(link.words.split())[:60]
            found.setdefault(kind, []).append(f"{words} → {_short(link.target)}")
        if not link.words.strip():
            found.setdefault("link_nameless", []).append(_short(link.target))
    for kind, places in found.items():
        yield _listed(kind, places)


def _faults_of(target: str, words: str) -> Iterator[str]:
    host, scheme = _host(target)
    if target.startswith("#") or not target.strip():
        yield "link_nowhere"
        return
    # That no reader reaches this machine itself (a trial) is said by the pre-flight.
    if scheme not in ("http", "https") or (_is_number(host) and is_loopback(host)):
        return
    shown = _LOOKS_LIKE_HOST.fullmatch(words.strip("。，,.;；)）"))
    if shown and not _same_site(shown[1].lower(), host):
        yield "link_differs"
    if host in _SHORTENERS:
        yield "link_shortened"
    if _is_number(host):
        yield "link_number"
    if scheme == "http" and not _is_number(host):
        yield "link_plain"


def _host(target: str) -> tuple[str, str]:
    try:
        parts = urlsplit(target)
        return (parts.hostname or "").lower().rstrip("."), parts.scheme.lower()
    except ValueError:
        return "", ""


def _same_site(shown: str, host: str) -> bool:
    """One is the other or lies below it: `www.example.com` may be written `example.com`."""
    one, other = shown.removeprefix("www."), host.removeprefix("www.")
    return one == other or one.endswith("." + other) or other.endswith("." + one)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _unsubscribe(message: EmailMessage, page: Page, text: str) -> Iterator[LintFinding]:
    """In the header (RFC 2369, 8058) and for the eye: the header alone is shown by few programs."""
    ways = re.findall(r"<(https?:[^>\s]+)>", str(message.get("List-Unsubscribe", "")))
    if not message.get("List-Unsubscribe"):
        yield LintFinding("no_unsubscribe_header")
    if not any(link.target in ways for link in page.links):
        yield LintFinding("no_unsubscribe_link", {"part": "html"})
    elif not any(way in text for way in ways):
        yield LintFinding("no_unsubscribe_link", {"part": "text"})


def _listed(kind: str, places: list[str]) -> LintFinding:
    different = list(dict.fromkeys(places))
    return LintFinding(kind, {"total": len(different)}, tuple(different[:LISTED]))


def _short(address: str) -> str:
    return address if len(address) <= 80 else f"{address[:77]}…"

"""The addresses in a cell, cleaned of what people leave around them (RFC 5322 addr-spec, RFC 5890).

Only what stands around an address is removed. What is wrong inside it (a blank, a doubled dot) is
reported and never repaired: a payslip that goes to a guessed address cannot be called back.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

import idna

_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufe0f]"
)
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    ord("。"): ".", ord("｡"): ".", ord("﹒"): ".", ord("﹫"): "@", ord("、"): ",",
    ord("“"): '"', ord("”"): '"', ord("‘"): "'", ord("’"): "'",
    ord("〈"): "<", ord("〉"): ">", ord("《"): "<", ord("》"): ">", ord("【"): "[", ord("】"): "]",
}  # fmt: skip
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN = re.compile(
    r"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}\Z"
)
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
_QUOTED = re.compile(r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])+"\Z')
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_DISPLAY = re.compile(r'\A(\s*"[^"]*"\s*|[^<>]*)<([^<>]+)>\W*\Z')
_PIECE = re.compile(r'(?:"(?:\\.|[^"\\])*"|<[^<>]*>|[^";,])+')
_TRAILING = " \t\r\n.,;:!?)>]}\"'"
_LEADING = " \t\r\n,;:([{<"
_MAX_CELL = 5_000
_MAX_PARTS = 50


class Cleaned(NamedTuple):
    """The usable addresses of a cell in order, each once, and (raw, why) of each piece that is none."""

    emails: tuple[str, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()


def is_plain(text: str) -> bool:
    """Whether a text is an address as it stands, with nothing to clean: what most cells hold."""
    return len(text) <= 254 and (match := _PLAIN.match(text)) is not None and match.end(1) <= 64


def clean(text: str) -> Cleaned:
    """The addresses of a cell's text; nothing at all for a blank cell."""
    if is_plain(text):
        return Cleaned((text,))
    if not text.strip() or not (bare := _bare(text)):
        return Cleaned()
    if len(bare) > _MAX_CELL:
        return Cleaned(rejected=((text[:100] + "…", "too long"),))
    pieces = _pieces(bare)
    if len(pieces) == 1:
        email, why = _parse(pieces[0])
        return Cleaned((email,)) if email else Cleaned(rejected=((text, why),))
    found = [(*_parse(piece), piece) for piece in pieces[:_MAX_PARTS]]
    emails = {email.lower(): email for email, _, _ in reversed(found) if email}
    if not emails:
        return Cleaned(rejected=((text, found[0][1]),))
    in_order = tuple(reversed(emails.values()))
    return Cleaned(in_order, tuple((piece, why) for email, why, piece in found if not email))


def key(email: str) -> str:
    """What two addresses share if they are the same mailbox for us: compared without case."""
    return email.lower()


def _bare(text: str) -> str:
    text = _INVISIBLE.sub("", text).translate(_FULL_WIDTH)
    return text.replace("\u00a0", " ").replace("\u3000", " ").strip()


def _pieces(text: str) -> list[str]:
    """The cell split at , and ; outside quotes and <>; at / and | only between two addresses."""
    display = _DISPLAY.match(text)
    named = display and not ("@" in display[1] and re.search("[;,]", display[1]))
    if text.count("@") < 2 or named:
        return [text]
    pieces = [piece.strip() for piece in _PIECE.findall(text)]
    result: list[str] = []
    for piece in pieces:
        parts = re.split(r"[/|]", piece)
        several = len(parts) > 1 and all("@" in part for part in parts)
        result.extend(part.strip() for part in parts) if several else result.append(piece)
    return [piece for piece in result if piece.strip(_TRAILING)] or [text]


def _parse(piece: str) -> tuple[str, str]:
    """(address, "") or ("", why)."""
    if match := _DISPLAY.match(piece):
        piece = match[2]
    piece = piece.strip()
    if len(piece) > 2 and piece[0] == piece[-1] and piece[0] in "\"'":
        piece = piece[1:-1]
    piece = piece.lstrip(_LEADING).rstrip(_TRAILING if piece[:1] != '"' else _TRAILING[:-2])
    if piece[:7].lower() == "mailto:":
        piece = unquote(piece[7:].partition("?")[0]).strip()
    if (
        piece.startswith(("'", '"'))
        and "@" in piece
        and not piece.startswith('"@')
        and piece.count(piece[0]) == 1
    ):
        piece = piece[1:]
    local, at, domain = piece.rpartition("@")
    if not at:
        return "", "not an address"
    why = _why_not_local(local, domain)
    if why:
        return "", why
    encoded = encode_domain(domain)
    if not encoded:
        return "", "domain without a dot" if "." not in domain else "bad domain"
    return (f"{local}@{encoded}", "") if len(local) + len(encoded) < 254 else ("", "too long")


def _why_not_local(local: str, domain: str) -> str:
    whole = local + domain
    if "\n" in whole or "\r" in whole:
        return "line break inside"
    if _QUOTED.match(local):
        return "too long" if len(local) > 64 else ""
    if "@" in local:
        return "more than one @"
    if any(c.isspace() for c in whole):
        return "blank inside"
    if not local.isascii():
        return "non-ASCII local part"
    if ".." in whole or local.startswith(".") or local.endswith(".") or domain.startswith("."):
        return "misplaced dot"
    if not _LOCAL.match(local):
        return "not an address"
    return "too long" if len(local) > 64 else ""


def encode_domain(domain: str) -> str:
    """A domain in lower case and A-labels; "" if it is none that mail can go to."""
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return ""
    domain = domain.lower()
    labels = domain.split(".")
    if len(labels) < 2 or len(domain) > 253 or not all(_LABEL.match(label) for label in labels):
        return ""
    return domain if re.match(r"(?:[a-z]{2,63}|xn--[a-z0-9-]+)\Z", labels[-1]) else ""

"""Non-ASCII text in header fields: RFC 2047 encoded words, and folding by RFC 5322 section 2.2.3.

Everything that a person typed goes through here before it becomes a header field, so this is where header
injection ends: a control character or a line separator never gets past `refuse_controls`.
"""

import binascii
import re

_PREFIX = "=?utf-8?b?"
_SUFFIX = "?="

#: RFC 2047 section 2: an encoded word is at most 75 characters, so 60 of base64, so 45 octets of UTF-8.
_WORD_OCTETS = 45

#: RFC 5322 section 2.1.1: a line should be at most 78 characters, and must be at most 998.
_SOFT_LINE = 78
_HARD_LINE = 998

#: C0 and C1 controls, the Unicode line and paragraph separators, and lone surrogates (which UTF-8 can't hold).
_FORBIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_PLAIN_LINE = re.compile(r"[!-~](?:[ -~]{0,60}[!-~])?")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


class HeaderFault(ValueError):
    """A text that can't stand in a header field. `kind` is `control`, `long` or `name`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


def refuse_controls(text: str) -> None:
    """Raise `HeaderFault("control")` where text holds a control character, U+2028, U+2029 or a lone surrogate.

    A tab passes; CR, LF and NUL don't (OWASP ASVS 1.3.11).
    """
    found = _FORBIDDEN.search(text)
    if found:
        raise HeaderFault(
            "control",
            f"第 {found.start() + 1} 个字符是控制字符或换行（U+{ord(found[0]):04X}），不能用在邮件头里",
        )


def unstructured(text: str) -> str:
    """A field body such as Subject, of which the stdlib parser reads exactly `text`; folded, without the field name."""
    refuse_controls(text)
    if not text or (_PLAIN_LINE.fullmatch(text) and "=?" not in text):
        return text
    # "Subject: " stands before the first word on its line, so this one is shorter.
    return "\r\n ".join(_words(text, first=_WORD_OCTETS - 9))


def phrase(text: str) -> str:
    """A display name (RFC 5322 section 3.2.5) in ASCII: atoms, a quoted string, or encoded words; may be folded."""
    refuse_controls(text)
    if not text:
        return ""
    if len(text) <= 60 and "=?" not in text:
        if _PLAIN_PHRASE.fullmatch(text):
            return text
        if _PLAIN_LINE.fullmatch(text):
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "\r\n ".join(_words(text, first=_WORD_OCTETS - 9))


def folded(name: str, value: str) -> str:
    """An ASCII field body, broken at its blanks where the line would be over 78 characters.

    Raises `HeaderFault("long")` where one word alone passes the 998 of RFC 5322 section 2.1.1.
    """
    if len(name) + 2 + len(value) <= _SOFT_LINE:
        return value
    lines = [""]
    room = _SOFT_LINE - len(name) - 2
    for word in value.split(" "):
        if len(word) > _HARD_LINE - len(name) - 2:
            raise HeaderFault("long", f"{name} 里有一段超过 {_HARD_LINE} 个字符，无法折行")
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
            room = _SOFT_LINE - 1
        else:
            lines[-1] += (" " if lines[-1] else "") + word
    return "\r\n ".join(lines)


def _words(text: str, *, first: int) -> list[str]:
    """Encoded words that each hold whole characters, as RFC 2047 section 5 asks."""
    data = text.encode()
    words = []
    start, room = 0, first
    while start < len(data):
        end = min(start + room, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        encoded = binascii.b2a_base64(data[start:end], newline=False).decode()
        words.append(_PREFIX + encoded + _SUFFIX)
        start, room = end, _WORD_OCTETS
    return words

"""From the bytes of a part to text: transfer encodings, charsets, HTML, encoded words (RFC 2045, 2047)."""

import binascii
import codecs
import html
import quopri
import re

from campaigns.mailer.bounces.parts import Part

#: Longest text kept of one part, in bytes before and characters after decoding.
MAX_TEXT = 192 * 1024

_ENCODED_WORD = re.compile(
    r"=\?([A-Za-z0-9_.:-]{1,40})(?:\*[A-Za-z-]{0,20})?\?([BbQq])\?([^?\s]{0,600})\?="
)
_BETWEEN_WORDS = re.compile(r"(\?=)\s{1,20}(=\?)")
_HIDDEN = re.compile(r"<(script|style|head)\b", re.I)
_LINE_ELEMENT = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li|/?h[1-6]|/?table|/?pre)\b[^<>]*>", re.I)
_CELL = re.compile(r"</t[dh]\b[^<>]*>", re.I)
_TAG = re.compile(r"<[/!?A-Za-z][^<>@]*>|<[/!?A-Za-z][^<>=]*=[^<>]*>")
_BLANKS = re.compile(r"[ \t\xa0\u3000\u200b]+")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")

#: Names that mail uses and Python does not, or that Python reads too narrowly.
_CHARSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "x-gbk": "gb18030",
    "x-unknown": "utf-8",
    "unknown-8bit": "utf-8",
    "default": "utf-8",
    "ascii": "utf-8",
    "us-ascii": "utf-8",
    "iso-2022-jp": "iso2022_jp_ext",
    "ks_c_5601-1987": "cp949",
}


def text_of(part: Part) -> str:
    """The part's text with line feeds; markup becomes lines. Empty if it is no text."""
    text = decode(transfer_decoded(part)[:MAX_TEXT], part.parameters.get("charset", ""))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return from_html(text) if part.content_type == "text/html" else text


def transfer_decoded(part: Part) -> bytes:
    """The body with base64 or quoted-printable undone, as far as it can be; at most what yields MAX_TEXT."""
    encoding = part.get("content-transfer-encoding").strip().lower()
    body = part.body[: 2 * MAX_TEXT]
    if encoding == "base64":
        return unbase64(body)
    if encoding == "quoted-printable":
        return quopri.decodestring(body)
    return body


def unbase64(body: bytes) -> bytes:
    letters = _NOT_BASE64.sub(b"", body)
    letters = letters[: len(letters) - len(letters) % 4] if len(letters) % 4 == 1 else letters
    try:
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return b""


def decode(body: bytes, charset: str) -> str:
    """Text in the named charset; where that is unknown or does not fit, the first that does."""
    name = _CHARSETS.get(charset.strip("'\" ").lower(), charset.strip("'\" ").lower())
    guesses = ["iso2022_jp_ext"] if b"\x1b$" in body else []
    for candidate in (name, *guesses, "utf-8", "gb18030", "euc_jp"):
        try:
            if candidate and codecs.lookup(candidate)._is_text_encoding:
                return body.decode(candidate)
        except (LookupError, ValueError):
            continue
    return body.decode("utf-8" if body[:1] >= b"\x80" else "latin-1", "replace")


def from_html(markup: str) -> str:
    """The words of an HTML document, a line for each block; nothing of scripts and styles."""
    text = _LINE_ELEMENT.sub("\n", _without_hidden(markup).replace("\n", " "))
    text = html.unescape(_TAG.sub("", _CELL.sub("\t", text)))
    return "\n".join(_BLANKS.sub(" ", line).strip() for line in text.split("\n"))


def _without_hidden(markup: str) -> str:
    kept, position = [], 0
    lowered = markup.lower() if len(markup.lower()) == len(markup) else markup
    for match in _HIDDEN.finditer(markup):
        if match.start() < position:
            continue
        kept.append(markup[position : match.start()])
        end = lowered.find(f"</{match[1].lower()}", match.end())
        position = len(markup) if end < 0 else end
    return "".join(kept) + markup[position:]


def header_text(value: str) -> str:
    """An unstructured field with its encoded words decoded (RFC 2047); at most 2,000 characters."""
    value = value[:2000]
    if "=?" not in value:
        return value
    return _ENCODED_WORD.sub(lambda m: _word(m[1], m[2], m[3]), _BETWEEN_WORDS.sub(r"\1\2", value))


def _word(charset: str, encoding: str, text: str) -> str:
    if encoding in "Bb":
        return decode(unbase64(text.encode("ascii", "replace")), charset)
    plain = text.replace("_", " ").encode("latin-1", "replace")
    return decode(quopri.decodestring(plain, header=True), charset)

"""A text part on the wire: CRLF lines and a 7-bit transfer encoding (RFC 2045 section 6).

Always encoded, never 8bit: no relay needs 8BITMIME, no line is over 76 characters, no line is a bare dot, and
what a bad relay does to blanks at line ends can't break a DKIM body hash.
"""

import binascii
from functools import lru_cache
from struct import Struct

_LINE = 76


def encode_text(text: str) -> tuple[bytes, bytes]:
    """The Content-Transfer-Encoding and the encoded lines of a text in UTF-8; the last line ends with CRLF too.

    Line ends of every kind (CR, LF, CRLF) become CRLF first, which is also what makes SMTP smuggling by a bare LF
    impossible. Chinese goes as base64; pure ASCII as quoted-printable, since spam filters distrust ASCII in base64.
    Raises UnicodeEncodeError for a lone surrogate.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    data = text.replace("\n", "\r\n").encode()
    if not text.isascii():
        return b"base64", _base64_lines(data)
    encoded = binascii.b2a_qp(data, quotetabs=False, istext=True)
    # Without a CRLF in the data b2a_qp breaks its lines with a bare LF.
    if b"\r\n" not in data:
        encoded = encoded.replace(b"\n", b"\r\n")
    # The line end belongs to the boundary that follows (RFC 2046 section 5.1.1), so the text's own one stays.
    return b"quoted-printable", encoded + b"\r\n"


def _base64_lines(data: bytes) -> bytes:
    encoded = binascii.b2a_base64(data, newline=False)
    whole = len(encoded) // _LINE
    lines = _splitter(whole).unpack_from(encoded)
    rest = encoded[whole * _LINE :]
    return b"\r\n".join((*lines, rest, b"") if rest else (*lines, b""))


@lru_cache(maxsize=256)
def _splitter(lines: int) -> Struct:
    """Cuts base64 into lines in C; slicing in Python costs as much as the whole rest of a message."""
    return Struct(f"{_LINE}s" * lines)

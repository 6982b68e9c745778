"""A text on the wire is 7-bit, in short CRLF lines, and decodes to itself."""

import base64
import quopri
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.mime_body import encode_text

chaos = st.lists(
    st.sampled_from(
        ["\r", "\n", "\r\n", ".", " ", "\t", "=", "a", "工", "x" * 80, "\x0c", "\0", "From "]
    )
).map("".join)


def decoded(text: str) -> str:
    encoding, lines = encode_text(text)
    if encoding == b"base64":
        return base64.b64decode(lines, validate=False).decode()
    return quopri.decodestring(lines[:-2]).decode()


@given(st.one_of(chaos, st.text(st.characters(exclude_categories=["Cs"]))))
def test_it_decodes_to_the_text_with_crlf_line_ends(text):
    assert decoded(text) == re.sub("\r\n|\r|\n", "\r\n", text)


@given(chaos)
def test_lines_are_short_and_end_with_crlf(text):
    _, lines = encode_text(text)
    assert lines.endswith(b"\r\n") or not lines
    assert lines.isascii()
    for line in lines.split(b"\r\n"):
        assert len(line) <= 76
        assert not re.search(rb"[\r\n]|[ \t]$", line)
        assert line != b"."


def test_chinese_goes_as_base64_and_ascii_as_quoted_printable():
    assert encode_text("工资")[0] == b"base64"
    assert encode_text("pay")[0] == b"quoted-printable"


@pytest.mark.parametrize("octets", [56, 57, 58, 113, 114, 115])
def test_base64_lines_break_at_76_around_their_edges(octets):
    _, lines = encode_text("é" + "a" * (octets - 2))
    first = lines.split(b"\r\n")[0]
    assert len(first) == min(76, len(base64.b64encode(b"x" * octets)))
    assert not lines.endswith(b"\r\n\r\n")


def test_a_lone_surrogate_is_an_error_and_no_question_mark():
    with pytest.raises(UnicodeEncodeError):
        encode_text("工资\ud800")

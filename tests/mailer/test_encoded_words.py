"""Header texts are short ASCII lines that decode to what was typed."""

import re
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.encoded_words import (
    HeaderFault,
    folded,
    phrase,
    refuse_controls,
    unstructured,
)

texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=300)


@given(texts)
def test_an_unstructured_text_decodes_to_itself(text):
    encoded = unstructured(text)
    assert str(make_header(decode_header(encoded))) == text
    assert encoded.isascii()


@given(texts)
def test_no_line_is_too_long_and_each_word_holds_whole_characters(text):
    for line in ("Subject: " + unstructured(text)).split("\r\n"):
        assert len(line) <= 76
    for word in re.findall(r"=\?utf-8\?b\?[^?]*\?=", unstructured(text)):
        assert len(word) <= 75
        assert "\ufffd" not in str(make_header(decode_header(word))) or "\ufffd" in text


def test_plain_ascii_stays_readable():
    assert unstructured("Payslip 2026-11") == "Payslip 2026-11"
    assert phrase("Zhang San") == "Zhang San"
    assert phrase('Li, "Si"') == '"Li, \\"Si\\""'


def test_what_looks_like_an_encoded_word_is_encoded():
    assert unstructured("=?utf-8?b?eA==?=") != "=?utf-8?b?eA==?="
    assert phrase("=?utf-8?q?x?=").startswith("=?utf-8?b?")


@pytest.mark.parametrize(
    "bad", ["\r", "\n", "\0", "\x1f", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]
)
def test_controls_are_refused_and_their_place_named(bad):
    for use in (refuse_controls, unstructured, phrase):
        with pytest.raises(HeaderFault, match="第 3 个") as fault:
            use("ab" + bad)
        assert fault.value.kind == "control"


@given(st.lists(st.text("abc,<>", min_size=1, max_size=90), min_size=1, max_size=12))
def test_a_folded_value_unfolds_to_itself(words):
    value = " ".join(words)
    lines = folded("X-Long", value)
    assert lines.replace("\r\n", "") == value
    assert all(len(line) <= 78 or " " not in line.strip() for line in lines.split("\r\n"))


def test_a_word_beyond_998_characters_can_not_be_folded():
    with pytest.raises(HeaderFault) as fault:
        folded("X-Long", "a" * 995)
    assert fault.value.kind == "long"

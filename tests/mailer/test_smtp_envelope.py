"""What goes into MAIL and RCPT, and what never does (RFC 5321, 1870, 3461, 6152, 6531)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.smtp_envelope import Capabilities, Envelope, commands
from campaigns.mailer.smtp_errors import EnvelopeRefused

PLAIN = Capabilities()
FULL = Capabilities(
    pipelining=True, size=10_000, has_size=True, eight_bit_mime=True, smtputf8=True, dsn=True
)
ENVELOPE = Envelope("hr@example.cn", "li@example.cn", 9_000)


def refusal(envelope: Envelope, offered: Capabilities = FULL, limit: int | None = None) -> Reason:
    with pytest.raises(EnvelopeRefused) as caught:
        commands(envelope, offered, limit)
    assert caught.value.sentence_zh
    return caught.value.reason


def test_it_reads_what_ehlo_offers() -> None:
    lines = [b"mail.example.cn", b"PIPELINING", b"SIZE 73400320", b"starttls", b"AUTH LOGIN PLAIN"]
    got = Capabilities.parse(
        [*lines, b"AUTH=LOGIN PLAIN", b"8BITMIME", b"DSN", b"X-Y", b"", b"\xff"]
    )
    assert (got.pipelining, got.size, got.starttls) == (True, 73400320, True)
    assert got.auth == {"LOGIN", "PLAIN"}
    assert (got.eight_bit_mime, got.dsn, got.smtputf8) == (True, True, False)
    assert Capabilities.parse([b"PIPELINING"]) == PLAIN  # the greeting line offers nothing


@pytest.mark.parametrize("size", [b"SIZE", b"SIZE 0", b"SIZE x", b"SIZE " + b"9" * 5000])
def test_a_size_without_a_limit_is_no_limit(size: bytes) -> None:
    got = Capabilities.parse([b"x", size])
    assert (got.has_size, got.size) == (True, None)


def test_it_asks_for_what_the_server_offers_and_nothing_else() -> None:
    asking = replace(
        ENVELOPE, ret_hdrs=True, notify="FAILURE,DELAY", envid="d=1 +x", eight_bit=True
    )
    assert commands(asking, FULL, None) == (
        b"MAIL FROM:<hr@example.cn> SIZE=9000 BODY=8BITMIME RET=HDRS ENVID=d+3D1+20+2Bx\r\n",
        b"RCPT TO:<li@example.cn> NOTIFY=FAILURE,DELAY\r\n",
    )
    assert commands(replace(asking, eight_bit=False), PLAIN, None) == (
        b"MAIL FROM:<hr@example.cn>\r\n",
        b"RCPT TO:<li@example.cn>\r\n",
    )


def test_the_null_sender_and_quoted_local_parts_are_fine() -> None:
    mail, rcpt = commands(Envelope("", '"li ming"@example.cn', 1), PLAIN, None)
    assert mail == b"MAIL FROM:<>\r\n"
    assert rcpt == b'RCPT TO:<"li ming"@example.cn>\r\n'


def test_utf8_addresses_go_only_with_smtputf8() -> None:
    envelope = replace(ENVELOPE, rcpt_to="李@例子.中国")
    assert refusal(envelope) is Reason.NEEDS_SMTPUTF8
    wanting = replace(envelope, smtputf8=True)
    assert refusal(wanting, PLAIN) is Reason.NEEDS_SMTPUTF8
    mail, rcpt = commands(wanting, FULL, None)
    assert mail.endswith(b" SMTPUTF8\r\n")
    assert "李@例子.中国".encode() in rcpt


def test_what_is_too_big_or_8_bit_is_refused_here() -> None:
    assert refusal(replace(ENVELOPE, size=10_001)) is Reason.TOO_BIG
    assert refusal(ENVELOPE, PLAIN, 8_999) is Reason.TOO_BIG
    assert refusal(replace(ENVELOPE, eight_bit=True), PLAIN) is Reason.NEEDS_8BITMIME
    assert commands(ENVELOPE, PLAIN, 9_000)


@pytest.mark.parametrize(
    "bad",
    [
        "li@example.cn>\r\nRCPT TO:<x@y.cn",
        "li@example.cn\r\nDATA",
        "li@example.cn> NOTIFY=NEVER",
        "<li@example.cn>",
        "li ming@example.cn",
        "li@exam\0ple.cn",
        "li@a@b.cn",
        "li",
        "@example.cn",
        "li@",
        "",
        '"li\r\n"@example.cn',
        "x" * 300 + "@example.cn",
        "li@example.cn\u2028",
    ],
)
def test_it_rejects_a_recipient_that_would_say_more_than_an_address(bad: str) -> None:
    assert refusal(replace(ENVELOPE, rcpt_to=bad, smtputf8=True)) is Reason.MALFORMED
    if bad:
        assert refusal(replace(ENVELOPE, mail_from=bad, smtputf8=True)) is Reason.MALFORMED


@pytest.mark.parametrize(
    "changes",
    [{"notify": "ALWAYS"}, {"notify": "FAILURE\r\nDATA"}, {"envid": "工资"}, {"envid": "x" * 200}],
)
def test_it_rejects_parameters_that_are_none(changes: dict[str, str]) -> None:
    assert refusal(replace(ENVELOPE, **changes)) is Reason.MALFORMED


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=10))
def test_whatever_comes_in_each_command_is_one_line(
    sender: str, recipient: str, envid: str
) -> None:
    envelope = Envelope(f"{sender}@a.cn", f"{recipient}@b.cn", 1, smtputf8=True, envid=envid)
    try:
        lines = commands(envelope, FULL, None)
    except EnvelopeRefused:
        return
    for line in lines:
        assert line.count(b"\r") == line.count(b"\n") == 1
        assert line.endswith(b"\r\n")
        assert line.count(b"<") == line.count(b">") == 1

"""Reading message/delivery-status (RFC 3464)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.dsn import MAX_RECIPIENTS, read_delivery_status, status_in

REPORT = """\
Reporting-MTA: dns; relay.hongyan.example
Original-Envelope-Id: 42-7
Arrival-Date: Tue, 24 Nov 2026 10:00:00 +0800

Final-Recipient: rfc822; wang@a.example
Original-Recipient: rfc822;Wang@a.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.a.example
Diagnostic-Code: smtp; 550 5.1.1 <wang@a.example>...
    User unknown

Final-Recipient: rfc822;li@b.example
Action: delayed (will retry)
Status: 4.04.001
"""


def test_it_reads_the_message_and_each_recipient() -> None:
    report = read_delivery_status(REPORT)
    assert report.reporting_mta == "relay.hongyan.example"
    assert report.original_envelope_id == "42-7"
    wang, li = report.recipients
    assert (wang.address, wang.original_recipient) == ("wang@a.example", "Wang@a.example")
    assert (wang.action, wang.status, wang.remote_mta) == ("failed", "5.1.1", "mx.a.example")
    assert (wang.diagnostic_type, wang.diagnostic) == (
        "smtp",
        "550 5.1.1 <wang@a.example>... User unknown",
    )
    assert (li.address, li.action, li.status) == ("li@b.example", "delayed", "4.4.1")


def test_a_blank_line_inside_a_recipient_loses_nothing() -> None:
    text = "Final-Recipient: rfc822; a@x.example\n\nAction: failed\nStatus: 5.2.2\n"
    [recipient] = read_delivery_status(text).recipients
    assert (recipient.action, recipient.status) == ("failed", "5.2.2")


def test_blocks_without_a_blank_line_between_are_two() -> None:
    text = (
        "Final-Recipient: rfc822;a@x.example\nStatus: 5.1.1\nFinal-Recipient: rfc822;b@x.example\n"
    )
    assert [r.address for r in read_delivery_status(text).recipients] == [
        "a@x.example",
        "b@x.example",
    ]


@pytest.mark.parametrize(
    ("final", "original", "address"),
    [
        ("rfc822; <a@x.example>", "", "a@x.example"),
        ("RFC822;a@x.example", "", "a@x.example"),
        ("a@x.example", "", "a@x.example"),
        ("utf-8; 王@例子.中国", "", "王@例子.中国"),
        ("rfc822; @relay.example:a@x.example", "", "a@x.example"),
        ("rfc822; a@server", "rfc822; a@x.example", "a@x.example"),
        ("X-LOCAL; wang", "rfc822; wang@x.example", "wang@x.example"),
        ('rfc822; "a b"@x.example', "", '"a b"@x.example'),
    ],
)
def test_it_finds_the_address_in_whatever_form(final: str, original: str, address: str) -> None:
    text = f"Final-Recipient: {final}\n" + (f"Original-Recipient: {original}\n" if original else "")
    assert read_delivery_status(text).recipients[0].address == address


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("550 5.1.1 no", "5.1.1"),
        ("(#5.01.002)", "5.1.2"),
        ("host 10.5.1.1 said no", None),
        ("version 5.1.1.7", None),
        ("3.1.1", None),
    ],
)
def test_it_tells_a_status_from_other_numbers(text: str, status: str | None) -> None:
    assert status_in(text) == status


def test_a_report_of_very_many_recipients_is_capped() -> None:
    block = "Final-Recipient: rfc822; a{}@x.example\nAction: failed\n\n"
    text = "".join(block.format(n) for n in range(MAX_RECIPIENTS * 3))
    assert len(read_delivery_status(text).recipients) == MAX_RECIPIENTS


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    assert read_delivery_status(text).recipients is not None
    assert read_delivery_status(REPORT + text).recipients[0].status == "5.1.1"

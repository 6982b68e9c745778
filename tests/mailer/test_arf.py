"""Reading feedback reports (RFC 5965) and complaints that come without one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer import bounce
from campaigns.mailer.arf import read_feedback

FEEDBACK = """\
Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <bounces+k3@hongyan.example>
Original-Rcpt-To: <wang@a.example>
Source-IP: 192.0.2.1
"""


def complaint(
    feedback: str, returned: str = "To: wang@a.example\n", subject: str = "FW: x"
) -> bytes:
    return f"""\
From: <fbl@provider.example>
To: fbl@hongyan.example
Subject: {subject}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

This is an email abuse report.

--b
Content-Type: message/feedback-report

{feedback}
--b
Content-Type: message/rfc822

From: hr@hongyan.example
{returned}Message-ID: <m1@hongyan.example>

text
--b--
""".encode()


def test_it_reads_whom_it_is_about_and_why() -> None:
    report = read_feedback(FEEDBACK)
    assert (report.feedback_type, report.user_agent) == ("abuse", "SomeGenerator/1.0")
    assert report.original_mail_from == "bounces+k3@hongyan.example"
    assert (report.recipients, report.source_ip) == (("wang@a.example",), "192.0.2.1")


def test_a_complaint_is_feedback_and_never_a_bounce() -> None:
    report = bounce.read(complaint(FEEDBACK))
    assert report.kind == "feedback"
    assert report.returned_message_id == "<m1@hongyan.example>"
    [recipient] = report.recipients
    assert (recipient.address, recipient.cls, recipient.reason) == (
        "wang@a.example",
        "soft",
        "feedback",
    )


def test_the_returned_header_names_the_recipient_where_the_report_does_not() -> None:
    report = bounce.read(complaint("Feedback-Type: abuse\n"))
    assert [r.address for r in report.recipients] == ["wang@a.example"]


@pytest.mark.parametrize("redacted", ["redacted@a.example", "xxxxx@a.example"])
def test_a_redacted_recipient_is_left_out(redacted: str) -> None:
    text = f"Feedback-Type: abuse\nOriginal-Rcpt-To: {redacted}\n"
    assert read_feedback(text).recipients == ()


def test_microsofts_complaints_have_no_report_part() -> None:
    raw = b"""From: staff@hotmail.example
To: fbl@hongyan.example
Subject: complaint about message from 192.0.2.1
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: message/rfc822

X-HmXmrOriginalRecipient: wang@hotmail.example
From: hr@hongyan.example
To: somebody@else.example

x
--b--
"""
    report = bounce.read(raw)
    assert report.kind == "feedback"
    assert [r.address for r in report.recipients] == ["wang@hotmail.example"]


def test_an_authentication_failure_report_is_feedback() -> None:
    report = bounce.read(complaint("Feedback-Type: auth-failure\nAuth-Failure: dmarc\n"))
    assert report.kind == "feedback"
    assert report.diagnostic == "auth-failure"


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    assert read_feedback(text).feedback_type

"""Bounces and automatic replies, read back by the standard library's parser."""

import email
import email.policy
import smtplib

import pytest

from campaigns.sandbox import MailSandbox

from .conftest import SENDER, eventually, message


def returned(sandbox, count=1):
    def found():
        return [kept for kept in sandbox.store.messages() if kept.returned]

    eventually(lambda: len(found()) >= count)
    return found()


def parsed(sandbox, kept):
    return email.message_from_bytes(sandbox.store.raw(kept), policy=email.policy.default)


def fields(part):
    """Both groups of a message/delivery-status, as the parser gives them."""
    return {name: value for group in part.get_payload() for name, value in group.items()}


def test_bounce_is_accepted_and_comes_back_as_a_report(sandbox, smtp):
    smtp.sendmail(SENDER, ["bounce-li@x.test"], message("bounce-li@x.test"))
    (kept,) = returned(sandbox)
    report = parsed(sandbox, kept)
    assert (kept.mail_from, kept.rcpt_to) == ("", (SENDER,))
    assert report["Return-Path"] == "<>"
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    assert report["To"] == SENDER
    assert report["Auto-Submitted"] == "auto-replied"
    kinds = [part.get_content_type() for part in report.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "message/rfc822"]
    assert report.defects == []


def test_the_report_names_recipient_status_and_message(sandbox, smtp):
    smtp.sendmail(SENDER, ["bounce-li@x.test"], message("bounce-li@x.test", message_id="<7@p>"))
    (kept,) = returned(sandbox)
    _, status, original = parsed(sandbox, kept).iter_parts()
    found = fields(status)
    assert found["Final-Recipient"] == "rfc822; bounce-li@x.test"
    assert (found["Action"], found["Status"]) == ("failed", "5.1.1")
    assert found["Diagnostic-Code"].startswith("smtp; 550 5.1.1 ")
    assert found["Reporting-MTA"] == "dns; mail.sandbox.test"
    assert original.get_content()["Message-ID"] == "<7@p>"


def test_ret_hdrs_brings_back_the_headers_alone(sandbox, smtp):
    smtp.mail(SENDER, ["RET=HDRS", "ENVID=Q17"])
    smtp.rcpt("bounce-li@x.test", ["ORCPT=rfc822;Li@X.test"])
    smtp.data(message())
    (kept,) = returned(sandbox)
    _, status, original = parsed(sandbox, kept).iter_parts()
    assert fields(status)["Original-Recipient"] == "rfc822;Li@X.test"
    assert fields(status)["Original-Envelope-Id"] == "Q17"
    assert original.get_content_type() == "text/rfc822-headers"
    assert "Message-ID: <1@pay.example>" in original.get_content()
    assert "工资".encode() not in sandbox.store.raw(kept).replace("工资条".encode(), b"")


@pytest.mark.parametrize("notify", ["NEVER", "SUCCESS", "DELAY"])
def test_notify_without_failure_brings_no_report(sandbox, smtp, notify):
    smtp.mail(SENDER)
    smtp.rcpt("bounce-li@x.test", [f"NOTIFY={notify}"])
    smtp.data(message())
    smtp.sendmail(SENDER, ["away-li@x.test"], message())
    (kept,) = returned(sandbox)
    assert parsed(sandbox, kept).get_content_type() == "text/plain"


def test_away_answers_automatically(sandbox, smtp):
    smtp.sendmail(SENDER, ["away-li@x.test"], message("away-li@x.test"))
    (kept,) = returned(sandbox)
    reply = parsed(sandbox, kept)
    assert (kept.mail_from, kept.rcpt_to) == ("", (SENDER,))
    assert reply["Auto-Submitted"] == "auto-replied"
    assert (reply["From"], reply["To"]) == ("away-li@x.test", SENDER)
    assert reply["Subject"] == "自动回复: 工资条"
    assert reply["In-Reply-To"] == reply["References"] == "<1@pay.example>"
    assert "休假" in reply.get_content()


def test_the_null_return_path_is_never_answered(sandbox, smtp):
    for address in ("bounce-li@x.test", "away-li@x.test"):
        smtp.sendmail("", [address], message(address))
    smtp.sendmail(SENDER, ["away-last@x.test"], message())
    assert len(returned(sandbox)) == 1
    assert [kept.mail_from for kept in sandbox.store.messages()] == ["", "", SENDER, ""]


def test_an_answer_to_a_misbehaving_sender_begins_no_loop(sandbox, smtp):
    smtp.sendmail("bounce-hr@pay.example", ["away-li@x.test"], message())
    smtp.sendmail("away-hr@pay.example", ["bounce-li@x.test"], message())
    returned(sandbox, 2)
    smtp.sendmail(SENDER, ["away-last@x.test"], message())
    assert len(returned(sandbox, 3)) == 3


def test_only_what_was_taken_over_smtp_is_in_messages(sandbox, smtp):
    smtp.sendmail(SENDER, ["bounce-li@x.test"], message())
    returned(sandbox)
    folder = sandbox.store.folder
    assert len(list((folder / "messages").iterdir())) == 1
    assert len(list((folder / "returned").iterdir())) == 1
    assert len((folder / "envelopes.jsonl").read_text().splitlines()) == 1


def test_answers_outstanding_at_the_stop_are_written(tmp_path):
    with MailSandbox(tmp_path, answer_after=60) as sandbox:
        with smtplib.SMTP("127.0.0.1", sandbox.ports.smtp, timeout=5) as client:
            client.login("sandbox", "sandbox")
            client.sendmail(SENDER, ["bounce-li@x.test"], message())
        assert not any(kept.returned for kept in sandbox.store.messages())
    assert sum(kept.returned for kept in sandbox.store.messages()) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n\r\n",
        b"no header at all\r\n",
        b"Subject: =?utf-8?b?////?=\r\n\r\nx\r\n",
        b"Subject: =?utf-8?b?x?=\r\n\r\n",
        b"Subject: =?what-charset?q?x?=\r\n\r\n",
        b"Subject: \xff\xfe\x00\r\nMessage-ID: nonsense\r\n\r\n",
        b"Subject: " + b"x" * 900 + b"\r\n\r\n",
        b"Subject: a\r\n b\r\n\tBcc: c@x.test\r\n\r\n",
        b"Message-ID: <a@b>\r\n Bcc: <evil@x.test>\r\n\r\n--x--\r\n",
    ],
)
def test_it_answers_whatever_the_content_was(sandbox, smtp, content):
    for address in ("bounce-li@x.test", "away-li@x.test"):
        smtp.sendmail(SENDER, [address], content)
    bounce, reply = (parsed(sandbox, kept) for kept in returned(sandbox, 2))
    assert fields(list(bounce.iter_parts())[1])["Status"] == "5.1.1"
    assert reply["Subject"].startswith("自动回复:")
    assert reply["Bcc"] is None
    assert reply["Auto-Submitted"] == "auto-replied"

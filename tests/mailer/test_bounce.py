"""The verdict on a message: kinds, causes, and what is needed to match a report with a delivery."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from campaigns.mailer import bounce
from campaigns.mailer.bounces.evidence import Evidence, command_in
from campaigns.mailer.bounces.verdict import CAUSES, judge
from campaigns.mailer.bounces.writers.order import WRITERS

DSN = """\
Return-Path: <>
Delivered-To: bounces+d7.s1g@hongyan.example
X-Original-To: bounces+d7.s1g@hongyan.example
From: MAILER-DAEMON@relay.example
To: <bounces+d7.s1g@hongyan.example>
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain; charset=utf-8

<{address}>: host mx.example said: {reply} (in reply to {command} command)

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; {address}
Original-Recipient: rfc822; {original}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {reply}

--b
Content-Type: text/rfc822-headers

Message-ID: <m7@hongyan.example>
Subject: =?utf-8?b?5bel6LWE5p2h?=
To: {original}

--b--
"""


def dsn(
    reply: str = "550 5.1.1 User unknown",
    *,
    action: str = "failed",
    status: str = "5.1.1",
    command: str = "RCPT TO",
    address: str = "wang@a.example",
    original: str = "wang@a.example",
) -> bytes:
    return DSN.format(
        reply=reply,
        action=action,
        status=status,
        command=command,
        address=address,
        original=original,
    ).encode()


def only(raw: bytes) -> bounce.Recipient:
    [recipient] = bounce.read(raw).recipients
    return recipient


def test_a_report_says_whom_why_and_what_to_match_it_with() -> None:
    report = bounce.read(dsn())
    assert report.kind == "bounce"
    assert report.recipients == (
        bounce.Recipient("wang@a.example", "hard", "userunknown", "5.1.1", "failed"),
    )
    assert report.returned_message_id == "<m7@hongyan.example>"
    assert report.returned_headers["to"] == "wang@a.example"
    assert report.envelope_to == ("bounces+d7.s1g@hongyan.example",)
    assert report.reporting_mta == "relay.example"
    assert report.diagnostic == "550 5.1.1 User unknown"
    assert report.human_text.startswith("<wang@a.example>: host mx.example said")


def test_a_forwarded_address_keeps_the_one_that_we_wrote_to() -> None:
    report = bounce.read(dsn(address="w@home.example"))
    assert [r.address for r in report.recipients] == ["w@home.example"]
    assert report.original_addresses == {"w@home.example": "wang@a.example"}


def test_a_delay_is_soft_and_no_final_bounce() -> None:
    recipient = only(dsn("450 4.1.1 User unknown", action="delayed", status="4.1.1"))
    assert (recipient.cls, recipient.action) == ("soft", "delayed")


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_a_success_is_delivered_and_no_bounce(action: str) -> None:
    report = bounce.read(dsn("250 2.0.0 ok", action=action, status="2.0.0"))
    assert report.kind == "delivered"
    assert report.recipients[0].action == action


@pytest.mark.parametrize(
    ("reply", "status", "command", "cls", "reason"),
    [
        ("550 5.1.1 <wang@a.example>... User Unknown", "5.1.1", "RCPT TO", "hard", "userunknown"),
        ("550 5.1.2 Host unknown", "5.1.2", "RCPT TO", "hard", "hostunknown"),
        ("551 5.1.6 mailbox has moved", "5.1.6", "RCPT TO", "hard", "hasmoved"),
        ("556 5.1.10 does not accept mail (nullMX)", "5.1.10", "RCPT TO", "hard", "notaccept"),
        ("552 5.2.2 Mailbox full", "5.1.1", "RCPT TO", "soft", "mailboxfull"),
        ("550 5.1.1 account is disabled", "5.1.1", "RCPT TO", "soft", "suspend"),
        ("550 Unknown user wang@a.example", "5.2.0", "end of DATA", "soft", "filtered"),
        ("550 5.7.1 IP blacklisted by zen", "5.1.1", "RCPT TO", "soft", "blocked"),
        ("550 5.7.26 fails DMARC", "5.7.26", "end of DATA", "soft", "authfailure"),
        ("550 5.1.1 No such domain", "5.1.7", "MAIL FROM", "soft", "rejected"),
        ("550 Mailbox not found", "5.0.0", "RCPT TO", "hard", "userunknown"),
        ("550 Ip frequency limited", "5.0.0", "end of DATA", "soft", "ratelimited"),
        ("554 DT:SPM 163 smtp1", "5.0.0", "end of DATA", "soft", "spamdetected"),
        ("550 用户不存在", "5.0.0", "RCPT TO", "hard", "userunknown"),
        ("552 邮箱空间已满", "5.0.0", "RCPT TO", "soft", "mailboxfull"),
        ("452 4.3.1 Insufficient system storage", "4.3.1", "DATA", "soft", "systemfull"),
    ],
)
def test_hard_only_where_the_address_itself_is_dead(
    reply: str, status: str, command: str, cls: str, reason: str
) -> None:
    recipient = only(dsn(reply, status=status, command=command))
    assert (recipient.cls, recipient.reason) == (cls, reason)


def test_the_servers_status_counts_before_the_reports_default() -> None:
    assert only(dsn("550 5.2.2 over quota", status="5.1.1")).status == "5.2.2"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("said: 550 x (in reply to RCPT TO\n    command)", "RCPT"),
        ("SMTP error from remote mail server after MAIL FROM:<a@x>", "MAIL"),
        ("error from remote mail server after end of data:", "DATA"),
        ("192.0.2.1 does not like recipient.", "RCPT"),
        (">>> RCPT To:<a@x>\n<<< 250 ok\n>>> DATA\n<<< 550 no", "DATA"),
        ("after initial connection: 554", "CONN"),
        ("nothing of the kind", ""),
    ],
)
def test_it_knows_which_command_was_refused(text: str, command: str) -> None:
    assert command_in(text) == command


def test_every_cause_is_recognised_by_its_own_example() -> None:
    modules = {name: _module_doc(name) for name in CAUSES}
    for name, doc in modules.items():
        example = doc.split("Example: `")[1].split("`")[0]
        command = "DATA" if "after DATA" in example else "RCPT"
        verdict = judge(Evidence(reply=example, status=None, command=command))
        assert (name, verdict.reason) == (name, name), example


def _module_doc(name: str) -> str:
    import importlib

    module = importlib.import_module(f"campaigns.mailer.bounces.causes.{name}")
    assert module.__doc__
    return module.__doc__


def test_what_programs_name_are_causes_that_exist() -> None:
    told = {cause for writer in WRITERS for _, cause in writer.causes}
    assert told <= CAUSES.keys() | {"onhold"}


def test_a_disposition_notification_is_an_automatic_reply() -> None:
    raw = b"""From: a@x.example
Subject: Read: hello
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b
Content-Type: text/plain

Your message was deleted without being read.
--b
Content-Type: message/disposition-notification

Final-Recipient: rfc822; a@x.example
Disposition: automatic-action/MDN-sent-automatically; deleted
--b--
"""
    assert bounce.read(raw).kind == "autoreply"


@pytest.mark.parametrize(
    "headers",
    [
        "Auto-Submitted: auto-replied\nSubject: hello",
        "Subject: 自动回复: 工资条",
        "Subject: =?gb2312?B?19S2r7vYuLQ=?=",
        "Subject: Automatic reply: x",
        "Subject: Abwesenheitsnotiz",
        "Precedence: auto_reply\nSubject: x",
        "Return-Path: <>\nAuto-Submitted: auto-generated\nSubject: x",
    ],
)
def test_automatic_replies_are_known_by_header_or_subject(headers: str) -> None:
    raw = f"From: wang@a.example\n{headers}\n\nThis address does not exist any more.\n"
    assert bounce.read(raw.encode()).kind == "autoreply"


def test_a_challenge_is_no_bounce_even_as_a_report() -> None:
    raw = dsn("450 4.7.0 sender not verified", action="delayed", status="4.7.0")
    raw = raw.replace(b"<wang@a.example>: host", b"Please click the link below to verify http://x")
    report = bounce.read(raw)
    assert (report.kind, report.recipients) == ("challenge", ())


def test_a_report_that_names_nobody_is_unrecognised() -> None:
    raw = b"From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\nUndeliverable. Sorry.\n"
    assert bounce.read(raw).kind == "unrecognised"


def test_a_report_quoted_in_a_persons_answer_is_ordinary() -> None:
    raw = b"From: it@a.example\nSubject: Re: Undelivered Mail\nIn-Reply-To: <m>\n\nSee:\n\n"
    raw += b"<wang@a.example>: host mx said: 550 5.1.1 User unknown\n"
    assert bounce.read(raw).kind == "ordinary"


def test_amazons_json_says_the_same_as_a_report() -> None:
    notice = {
        "notificationType": "Bounce",
        "bounce": {
            "bouncedRecipients": [
                {
                    "emailAddress": "wang@a.example",
                    "action": "failed",
                    "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                }
            ]
        },
        "mail": {"messageId": "0101-x"},
    }
    raw = b"From: no-reply@sns.example\nSubject: AWS\n\n" + json.dumps(notice).encode()
    assert only(raw) == bounce.Recipient("wang@a.example", "hard", "userunknown", "5.1.1", "failed")


def test_the_command_prints_a_line_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(dsn())
    (tmp_path / "b.eml").write_bytes("Subject: 你好\n\n".encode())
    out, err = StringIO(), StringIO()
    names = [str(tmp_path / name) for name in ("a.eml", "b.eml", "missing.eml")]
    with pytest.raises(SystemExit) as exit_:
        call_command("read_bounce", *names, stdout=out, stderr=err)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines[0] == {
        "file": names[0],
        "kind": "bounce",
        "recipients": [
            {
                "address": "wang@a.example",
                "cls": "hard",
                "reason": "userunknown",
                "status": "5.1.1",
                "action": "failed",
            }
        ],
    }
    assert lines[1] == {"file": names[1], "kind": "ordinary", "recipients": []}
    assert "missing.eml" in err.getvalue()
    assert exit_.value.code == 2


def test_status_fields_that_a_person_quotes_are_no_report() -> None:
    quoted = b"Final-Recipient: rfc822; wang@a.example\nAction: failed\nStatus: 5.1.1\n"
    for head in (
        b"From: it@a.example\nSubject: Fwd: x\n\n",
        b"From: it@a.example\nSubject: hi\n\n",
    ):
        assert bounce.read(head + b"Please look:\n\n" + quoted).kind == "ordinary"


def test_an_address_reported_twice_is_listed_once() -> None:
    block = b"Final-Recipient: rfc822; wang@a.example\n"
    raw = dsn().replace(block, block + b"Action: delayed\nStatus: 4.4.1\n\n" + block)
    assert only(raw).action == "failed"


@pytest.mark.parametrize(
    "reply",
    [
        "550 Mailbox unavailable or access denied [x IP: 192.0.2.1]",
        "550 Domain frequency limited",
        "550 Sender frequency limited",
        "554 HL:IFC 163 smtp5",
    ],
)
def test_a_limit_of_qq_or_163_never_makes_an_address_hard(reply: str) -> None:
    assert only(dsn(reply, status="5.0.0")).cls == "soft"

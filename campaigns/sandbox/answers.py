"""The mail that the sandbox writes itself: non-delivery reports and automatic replies.

The report is a multipart/report (RFC 6522) with message/delivery-status (RFC 3464) in Postfix's
wording; the reply follows RFC 3834. Both go out with the null return path.
"""

import base64
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import format_datetime

from .reading import decoded

MTA = "mail.sandbox.test"

_MESSAGE_ID = re.compile(r"<[^<>\s]{1,900}>")


@dataclass(frozen=True, slots=True)
class Answerable:
    """An accepted message, as far as an answer to it needs to know it.

    `headers_only` is RET=HDRS, `envelope_id` ENVID and `original_recipients` ORCPT (RFC 3461).
    """

    raw: bytes
    mail_from: str
    arrived: datetime
    headers_only: bool = False
    envelope_id: str | None = None
    original_recipients: dict[str, str] = field(default_factory=dict)


def non_delivery_report(original: Answerable, recipient: str, *, at: datetime) -> bytes:
    """The bounce of `recipient` (status 5.1.1) to the envelope sender; CRLF bytes."""
    boundary = f"{uuid.uuid4().hex}/{MTA}"
    headers, _, _ = original.raw.partition(b"\r\n\r\n")
    returned = headers + b"\r\n" if original.headers_only else original.raw
    kind = "text/rfc822-headers" if original.headers_only else "message/rfc822"
    parts = [
        ("Notification", "text/plain; charset=utf-8", _notice(recipient).encode()),
        ("Delivery report", "message/delivery-status", _status(original, recipient).encode()),
        ("Undelivered Message", kind, returned),
    ]
    head = [
        "Return-Path: <>",
        f"Date: {format_datetime(at)}",
        f"From: MAILER-DAEMON@{MTA} (Mail Delivery System)",
        "Subject: Undelivered Mail Returned to Sender",
        f"To: {original.mail_from}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f'\tboundary="{boundary}"',
        "Content-Transfer-Encoding: 8bit",
        f"Message-Id: <{uuid.uuid4().hex}@{MTA}>",
        "",
        "This is a MIME-encapsulated message.",
        "",
    ]
    body = b"".join(_part(boundary, *part) for part in parts)
    return _lines(head) + body + f"--{boundary}--\r\n".encode()


def automatic_reply(original: Answerable, recipient: str, *, at: datetime) -> bytes:
    """The out-of-office reply of `recipient` to the envelope sender (RFC 3834); CRLF bytes."""
    headers = BytesHeaderParser(policy=compat32).parsebytes(original.raw, headersonly=True)
    subject = Header(f"自动回复: {decoded(headers.get('Subject'))[:200]}", "utf-8", maxlinelen=72)
    answered = _MESSAGE_ID.search(str(headers.get("Message-ID", "")))
    thread = [f"{name}: {answered.group()}" for name in ("In-Reply-To", "References") if answered]
    head = [
        "Return-Path: <>",
        f"Date: {format_datetime(at)}",
        f"From: {recipient}",
        f"To: {original.mail_from}",
        *("Subject: " + subject.encode()).splitlines(),
        f"Message-ID: <{uuid.uuid4().hex}@{MTA}>",
        *thread,
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: base64",
        "",
        base64.b64encode("我正在休假，回来后会尽快回复您的邮件。\r\n".encode()).decode(),
    ]
    return _lines(head)


def _notice(recipient: str) -> str:
    return _text(
        f"This is the mail system at host {MTA}.",
        "",
        "I'm sorry to have to inform you that your message could not",
        "be delivered to one or more recipients. It's attached below.",
        "",
        f"<{recipient}>: host {MTA}[127.0.0.1] said:",
        f"    550 5.1.1 <{recipient}>: Recipient address rejected: User unknown",
        "    (in reply to RCPT TO command)",
    )


def _status(original: Answerable, recipient: str) -> str:
    per_message = [f"Reporting-MTA: dns; {MTA}"]
    if original.envelope_id:
        per_message.append(f"Original-Envelope-Id: {original.envelope_id}")
    per_message += [
        f"X-Postfix-Sender: rfc822; {original.mail_from}",
        f"Arrival-Date: {format_datetime(original.arrived)}",
    ]
    orcpt = original.original_recipients.get(recipient, f"rfc822;{recipient}")
    return _text(
        *per_message,
        "",
        f"Final-Recipient: rfc822; {recipient}",
        f"Original-Recipient: {orcpt}",
        "Action: failed",
        "Status: 5.1.1",
        f"Remote-MTA: dns; {MTA}",
        f"Diagnostic-Code: smtp; 550 5.1.1 <{recipient}>: Recipient address rejected: User unknown",
    )


def _part(boundary: str, description: str, content_type: str, content: bytes) -> bytes:
    head = [f"--{boundary}", f"Content-Description: {description}", f"Content-Type: {content_type}"]
    return _lines([*head, "Content-Transfer-Encoding: 8bit", ""]) + content + b"\r\n"


def _text(*lines: str) -> str:
    return "\r\n".join([*map(_one_line, lines), ""])


def _lines(lines: list[str]) -> bytes:
    return _text(*lines).encode("utf-8", "replace")


def _one_line(text: str) -> str:
    """An address comes from outside: in a header it never begins another one."""
    return text.replace("\r", " ").replace("\n", " ").encode("utf-8", "replace").decode()

"""What comes back to us, as the tests need it: deliveries that were sent, and reports on them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import BounceMailbox, Relay, Team
from campaigns.mailer.return_path import ReturnPath
from campaigns.mailer.tokens import message_id
from campaigns.models import Campaign, ContactList, DataKey, Delivery, Workbook
from campaigns.models.delivery import DeliveryPurpose, DeliveryState
from campaigns.models.template import Kind
from campaigns.models.workbook import Purpose
from campaigns.pipeline.compose import tokens

PATTERN = "bounce+{token}@corp.example.com"
LOGIN = "bounces@corp.example.com"
PASSWORD = "only-for-tests"


def a_mailbox(team: Team, port: int = 1, **fields: Any) -> BounceMailbox:
    """Somebody's own inbox on loopback, unless `exclusive`."""
    given = {
        "name": "退信",
        "address": LOGIN,
        "host": "127.0.0.1",
        "port": port,
        "tls_mode": "none",
        "internal_allowed": True,
        "username": LOGIN,
        "secret": PASSWORD,
        "return_path_pattern": PATTERN,
    }
    return BounceMailbox.objects.create(team=team, **(given | fields))


def a_sent_campaign(
    team: Team, kind: Kind = Kind.NEWSLETTER, contact_list: ContactList | None = None
) -> Campaign:
    """One that runs; a payslip's has a workbook with its key."""
    workbook = None
    if kind == Kind.PAYSLIP:
        workbook = Workbook.objects.create(
            team=team,
            purpose=Purpose.PAYSLIP,
            name="工资.xlsx",
            size=1,
            sha256="0" * 64,
            data_key=DataKey.objects.create(team=team),
        )
    relay, _ = Relay.objects.get_or_create(team=team, name="中继", defaults={"host": "127.0.0.1"})
    return Campaign.objects.create(
        team=team,
        kind=kind,
        name="十一月",
        state="running",
        relay=relay,
        workbook=workbook,
        contact_list=contact_list,
        from_name="编辑部",
        from_address="news@corp.example.com",
    )


def a_delivery(campaign: Campaign, address: str, **fields: Any) -> Delivery:
    """Accepted by the relay a minute ago."""
    number = fields.pop("number", None) or Delivery.objects.count() + 1
    now = timezone.now()
    given = {
        "purpose": DeliveryPurpose.CAMPAIGN,
        "source_key": f"c{number}",
        "address": address,
        "address_key": address.lower(),
        "domain": address.rpartition("@")[2],
        "due_at": now - timedelta(minutes=1),
        "deliver_until": now + timedelta(days=1),
        "state": DeliveryState.ACCEPTED,
        "changed_at": now,
    }
    delivery = Delivery(team=campaign.team, campaign=campaign, **(given | fields))
    delivery.save()
    if "message_id" not in fields:
        delivery.message_id = own_message_id(delivery)
        delivery.save()
    return delivery


def own_message_id(delivery: Delivery) -> str:
    """The Message-ID that it was sent with."""
    return message_id(delivery.pk, delivery.campaign_id, b"k" * 16, "corp.example.com")


def return_path(delivery: Delivery) -> str:
    """The envelope sender that this delivery was sent with."""
    return ReturnPath(PATTERN, tokens()).make(delivery.campaign_id, delivery.pk)


def a_bounce(
    recipient: str,
    *,
    to: str = LOGIN,
    message_id: str = "",
    status: str = "5.1.1",
    action: str = "failed",
    reply: str = "550 5.1.1 User unknown",
    returned: str = "",
    original: str = "",
) -> bytes:
    """A report in the form of RFC 3464; `returned` is the body of the message that came back,
    `original` the address that it was first sent to, where a server forwarded it."""
    return _lines(
        "Return-Path: <>",
        f"Delivered-To: {to}",
        "From: MAILER-DAEMON@mx.example (Mail Delivery System)",
        f"To: {to}",
        "Subject: Undelivered Mail Returned to Sender",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        "",
        "--b",
        "Content-Type: text/plain; charset=utf-8",
        "",
        f"I could not deliver your message to <{recipient}>: {reply}",
        "",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; mx.example",
        "",
        *([f"Original-Recipient: rfc822; {original}"] if original else []),
        f"Final-Recipient: rfc822; {recipient}",
        f"Action: {action}",
        f"Status: {status}",
        f"Diagnostic-Code: smtp; {reply}",
        "",
        "--b",
        "Content-Type: message/rfc822",
        "",
        "From: news@corp.example.com",
        f"To: {recipient}",
        *([f"Message-ID: {message_id}"] if message_id else []),
        "Subject: November",
        "",
        returned,
        "",
        "--b--",
    )


def a_complaint(recipient: str, *, to: str, kind: str = "abuse") -> bytes:
    """A feedback report (RFC 5965)."""
    return _lines(
        "From: feedback@provider.example",
        f"To: {to}",
        "Subject: FW: November",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"',
        "",
        "--b",
        "Content-Type: text/plain",
        "",
        "This is an email abuse report.",
        "",
        "--b",
        "Content-Type: message/feedback-report",
        "",
        f"Feedback-Type: {kind}",
        "User-Agent: Provider/1.0",
        "Version: 1",
        f"Original-Rcpt-To: {recipient}",
        "",
        "--b--",
    )


def an_auto_reply(sender: str, *, to: str) -> bytes:
    """An automatic response (RFC 3834)."""
    return _lines(
        "Return-Path: <>",
        f"From: {sender}",
        f"To: {to}",
        "Subject: Automatic reply: November",
        "Auto-Submitted: auto-replied",
        "Content-Type: text/plain; charset=utf-8",
        "",
        "I am away until Monday.",
    )


def unsubscribe_address(delivery: Delivery) -> str:
    """The address in this delivery's List-Unsubscribe."""
    reader = ReturnPath(PATTERN, tokens(), purpose="unsubscribe")
    return reader.make(delivery.campaign_id, delivery.pk)


def an_unsubscribe_mail(sender: str, *, to: str, text: str = "") -> bytes:
    """What a mail client sends when its reader presses the button (RFC 2369, RFC 6068)."""
    return _lines(
        f"From: {sender}",
        f"To: {to}",
        "Subject: unsubscribe",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text,
    )


def a_letter(text: str = "See you at seven?") -> bytes:
    """What else lies in an inbox."""
    return _lines(
        "From: Zhang San <zhang@friends.example>",
        f"To: {LOGIN}",
        "Subject: Dinner",
        "Message-ID: <dinner@friends.example>",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text,
    )


def _lines(*lines: str) -> bytes:
    return ("\r\n".join(lines) + "\r\n").encode()

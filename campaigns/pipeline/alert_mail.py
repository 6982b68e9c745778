"""An alert as a mail through the relay that its channel names, within that relay's limits."""

from __future__ import annotations

import secrets

from django.utils import timezone
from django.utils.html import escape, linebreaks

from accounts.models import Relay
from campaigns.mailer.address import AddressFault, Mailbox
from campaigns.mailer.message import MessageFault, Skeleton
from campaigns.mailer.mx import Undeliverable
from campaigns.mailer.reply import Reply
from campaigns.mailer.signing import SigningFault
from campaigns.mailer.smtp import Connection
from campaigns.mailer.smtp_envelope import Envelope
from campaigns.mailer.smtp_errors import ContentFailure, EnvelopeRefused, RelayFailure
from campaigns.mailer.smtp_settings import Timeouts
from campaigns.models import AlertChannel
from campaigns.pipeline.compose import signers
from campaigns.pipeline.ledger import ledger, windows_of
from campaigns.pipeline.oauth import TokenTrouble
from campaigns.pipeline.steady_ledger import LedgerAway
from campaigns.pipeline.ways import connected

# All of them together stay below alert_tell.LEASE. Seconds.
_TIMEOUTS = Timeouts(
    connect=10, greeting=20, command=20, data_go_ahead=20, final_dot=60, write=20, setup=60
)


class MailFailure(Exception):
    """It did not go; `reason` is a code of alert_texts or reasons."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def send_mail(channel: AlertChannel, title: str, text: str) -> None:
    """One mail to each address of the channel. Raises `MailFailure` unless every one was accepted, also
    where the earlier ones were: an alert that comes twice does less harm than one that does not come."""
    relay = Relay.objects.filter(pk=channel.relay_id, enabled=True).first()
    if relay is None or (relay.parked_until and relay.parked_until > timezone.now()):
        raise MailFailure("relay_unusable")
    sender = _sender(relay)
    try:
        for address in channel.addresses:
            with connected(relay, address, _TIMEOUTS) as line:
                content = _content(channel, sender, address, title, text)
                _send(line, relay, Envelope(sender, address, size=len(content)), content)
    except RelayFailure as failure:
        raise MailFailure(str(failure.kind)) from None
    except (TokenTrouble, Undeliverable) as trouble:
        raise MailFailure(str(trouble.reason)) from None
    except (ContentFailure, EnvelopeRefused):
        raise MailFailure("mail_refused") from None
    except ValueError:
        raise MailFailure("settings") from None


def _sender(relay: Relay) -> str:
    """The first address that the relay may use; of a whole domain its postmaster."""
    for entry in relay.from_addresses:
        return f"postmaster{entry}" if entry.startswith("@") else str(entry)
    raise MailFailure("no_from_address")


def _content(channel: AlertChannel, sender: str, address: str, title: str, text: str) -> bytes:
    now, domain = timezone.now(), sender.rpartition("@")[2].lower()
    try:
        message = Skeleton(from_=Mailbox("鸿雁", sender), reply_to=None).build(
            to=Mailbox("", address),
            subject=title,
            html=linebreaks(escape(text)),
            text=text + "\n",
            message_id=f"<alert.{channel.pk}.{secrets.token_hex(8)}@{domain}>",
            date=now,
        )
        return message.content([s.sign(message, now=now) for s in signers(channel.team_id, domain)])
    except SigningFault:
        raise MailFailure("key_unusable") from None
    except (MessageFault, AddressFault):
        raise MailFailure("malformed") from None


def _send(line: Connection, relay: Relay, envelope: Envelope, content: bytes) -> None:
    """Counts in the relay's quota like any other message."""
    try:
        permits = ledger().acquire(relay.quota_group, windows_of(relay), "alert", 1).ids
    except LedgerAway:
        permits = ()
    if not permits:
        raise MailFailure("quota_full")
    began = False
    try:
        line.start(envelope)
        answer = line.go_ahead()
        if answer.refused is not None:
            raise MailFailure("mail_refused")
        began = True
        reply: Reply = line.content(content)
        if not 200 <= reply.code < 300:
            raise MailFailure("mail_refused")
    finally:
        book = ledger()
        (book.settle if began else book.release)(relay.quota_group, permits)

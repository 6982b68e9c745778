"""Matching: which delivery of ours a report concerns, and what proves that it does.

A report is believed for a signed return path (RFC 3461 section 1 has the idea; `mailer.return_path`
the form), or for the Message-ID of a delivery together with its recipient. An address alone proves
nothing: anybody can write one. No query leaves the mailbox's team.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from campaigns.mailer.address import AddressFault, address_key
from campaigns.mailer.bounce import Recipient, Report
from campaigns.mailer.remote_id import remote_id_of
from campaigns.mailer.return_path import ReturnPath
from campaigns.mailer.tokens import message_id_of
from campaigns.models import Attempt, Campaign, Delivery, Suppression
from campaigns.models.delivery import ERASED_DOMAIN, DeliveryPurpose, DeliveryState
from campaigns.models.feedback import Proof, SuppressionReason
from campaigns.pipeline.compose import tokens
from campaigns.pipeline.subscription import MAIL_PURPOSE, Subscription, of_message

# Reading a return path needs no pattern, only the token in it: a mailbox's own may have changed.
_ANY_PATTERN = "bounce+{token}@return-path.example"
_MESSAGE_ID = re.compile(r"<[^<>\s]{3,198}>")
_SENT = (DeliveryState.SENDING, DeliveryState.ACCEPTED, DeliveryState.IN_DOUBT)


@dataclass(frozen=True)
class Match:
    """One recipient of a report (None: it names nobody), the delivery it concerns, and the proof.

    With a proof of NONE the delivery is the latest to that address, if any: shown, never acted on.
    """

    recipient: Recipient | None
    delivery: Delivery | None
    proof: Proof

    @property
    def proven(self) -> bool:
        return self.proof != Proof.NONE

    @property
    def names_another(self) -> bool:
        """Whether the report is about another address than the delivery's: it was forwarded."""
        return (
            self.delivery is not None
            and self.recipient is not None
            and key_of(self.recipient.address) != self.delivery.address_key
        )


def match(team_id: int, report: Report) -> list[Match]:
    """A Match for each recipient of the report, or one without a recipient where it names none."""
    signed = signed_delivery(team_id, report)
    if signed is not None:
        return _by_return_path(signed, report.recipients)
    quoted = _quoted_deliveries(team_id, report.returned_message_id)
    found = [
        _by_recipient(team_id, recipient, _keys(report, recipient), quoted)
        for recipient in report.recipients
    ]
    return found or [Match(None, None, Proof.NONE)]


def without_erased(team_id: int, matches: list[Match]) -> list[Match]:
    """Without those that would bring back whose data was erased. A payslip's are HR's, and stay."""
    keys = {key_of(found.recipient.address) for found in matches if found.recipient}
    erased = Suppression.objects.filter(
        team=team_id, reason=SuppressionReason.ERASED, address_key__in=keys
    )
    gone = set(erased.values_list("address_key", flat=True))
    return [
        found
        for found in matches
        if (found.delivery is not None and found.delivery.campaign.is_payslip)
        or not (_is_erased(found) or (found.recipient and key_of(found.recipient.address) in gone))
    ]


def _is_erased(found: Match) -> bool:
    return found.delivery is not None and found.delivery.domain == ERASED_DOMAIN


def leaving(team_id: int, report: Report) -> Subscription | None:
    """Whom a mail to the signed address of List-Unsubscribe (RFC 2369) takes off a list.

    Whatever it says: the address is the wish. Reports are none: a bounce never goes there.
    """
    reader = ReturnPath(_ANY_PATTERN, tokens(), purpose=MAIL_PURPOSE)
    for ids in filter(None, map(reader.read, report.envelope_to)):
        found = of_message(*ids)
        if found is not None and found.delivery.team_id == team_id:
            return found
    return None


def key_of(address: str) -> str:
    """The address's key; what is no address (reports hold anything) in lower case."""
    try:
        return address_key(address)
    except AddressFault:
        return address.lower()[:320]


def _by_return_path(delivery: Delivery, recipients: tuple[Recipient, ...]) -> list[Match]:
    """A delivery has one recipient: where the report names it, other addresses say nothing of it."""
    own = [found for found in recipients if key_of(found.address) == delivery.address_key][:1]
    named: Iterable[Recipient | None] = own or recipients or (None,)
    return [Match(recipient, delivery, Proof.RETURN_PATH) for recipient in named]


def _keys(report: Report, recipient: Recipient) -> list[str]:
    """The final address and, where the mail was forwarded, the one that we wrote to."""
    original = report.original_addresses.get(recipient.address)
    return [key_of(address) for address in (recipient.address, original) if address]


def _by_recipient(
    team_id: int, recipient: Recipient, keys: list[str], quoted: dict[str, Delivery]
) -> Match:
    for key in keys:
        if key in quoted:
            return Match(recipient, quoted[key], Proof.MESSAGE_ID)
    sent = _deliveries(team_id).filter(address_key__in=keys, state__in=_SENT)
    latest = sent.exclude(purpose=DeliveryPurpose.TEST).order_by("-pk").first()
    return Match(recipient, latest, Proof.NONE)


def quoted_campaigns(team_id: int, report: Report) -> list[Campaign]:
    """The campaigns whose message the report quotes by its Message-ID. This proves nothing about a
    recipient: it says to whose content the report belongs."""
    quoted = _quoted_deliveries(team_id, report.returned_message_id)
    return [delivery.campaign for delivery in quoted.values()]


def signed_delivery(team_id: int, report: Report) -> Delivery | None:
    """The delivery whose token stands in an address that the report was sent to, or in the
    Return-Path of the message that came back (complaints go to another address than bounces)."""
    reader = ReturnPath(_ANY_PATTERN, tokens())
    for address in (
        *report.envelope_to,
        report.returned_headers.get("return-path", "").strip("<> "),
    ):
        ids = reader.read(address)
        if ids is None:
            continue
        found = _deliveries(team_id).filter(pk=ids[1], campaign_id=ids[0]).first()
        if found is not None:
            return found
    return None


def _quoted_deliveries(team_id: int, returned_message_id: str) -> dict[str, Delivery]:
    """The deliveries that carried this Message-ID, or were given it by their relay, by their
    recipient's key."""
    found = _MESSAGE_ID.search(returned_message_id)
    if found is None:
        return {}
    mine = _deliveries(team_id)
    if remote := remote_id_of(found[0]):
        attempts = Attempt.objects.filter(team=team_id, remote_id=remote)
        sent = mine.filter(pk__in=attempts.values("delivery"))
    elif ids := message_id_of(found[0]):
        sent = mine.filter(campaign=ids[0], pk=ids[1], message_id=found[0])
    else:
        return {}
    return {delivery.address_key: delivery for delivery in sent.order_by("pk")}


def _deliveries(team_id: int) -> QuerySet[Delivery]:
    """With what the effects need of the campaign, and without its texts."""
    mine = Delivery.objects.filter(team_id=team_id).select_related("campaign__workbook__data_key")
    return mine.defer("campaign__frozen_html", "campaign__frozen_text")

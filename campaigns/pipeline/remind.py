"""Remind: those who have not confirmed their payslip get its message once more, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone

from campaigns.models import Campaign, Confirmation, Delivery, Feedback
from campaigns.models.campaign import CampaignState
from campaigns.models.delivery import (
    OPEN,
    PRIORITY_PAYSLIP,
    DeliveryPurpose,
    DeliveryState,
)
from campaigns.models.feedback import FeedbackKind
from campaigns.models.signals import announce
from campaigns.pipeline import counts

# Rows a transaction: SQLite's writes stay short.
CHUNK = 500
_SENDING = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.FINISHED)


def may_remind(campaign: Campaign) -> bool:
    """Whether its state and its settings let reminders go out."""
    asks = campaign.is_payslip and campaign.confirm_days > 0 and campaign.recalled_at is None
    return asks and campaign.planned_at is not None and campaign.state in _SENDING


def to_remind(campaign: Campaign) -> Iterator[Delivery]:
    """The last message that arrived of every slip that nobody answered.

    Not those whose address is dead, nor whose next message is already on its way.
    """
    mine = Delivery.objects.filter(campaign=campaign)
    again = mine.filter(purpose__in=[DeliveryPurpose.RESEND, DeliveryPurpose.REMINDER])
    underway = again.filter(state__in=OPEN, source_key=OuterRef("source_key"))
    answered = Confirmation.objects.filter(
        campaign=campaign, delivery__source_key=OuterRef("source_key")
    ).exclude(confirmed_at=None, disputed_at=None)
    dead = Feedback.objects.filter(
        delivery=OuterRef("pk"), campaign=campaign, kind=FeedbackKind.BOUNCE, hard=True
    ).exclude(proof="")
    # A resend may have gone to a corrected address: the last message that a server took counts.
    arrived = mine.filter(
        purpose__in=[DeliveryPurpose.CAMPAIGN, DeliveryPurpose.RESEND],
        state=DeliveryState.ACCEPTED,
    )
    silent = arrived.filter(~Exists(underway), ~Exists(answered))
    last = sorted(
        row["last"] for row in silent.values("source_key").order_by().annotate(last=Max("pk"))
    )
    for start in range(0, len(last), CHUNK):
        yield from mine.filter(pk__in=last[start : start + CHUNK]).exclude(Exists(dead))


def remind(campaign: Campaign) -> int:
    """Queues the reminders, and lets a finished campaign run until they are out; how many.

    Two clicks at once make one round: the round's number is part of a reminder's identity.
    """
    if not may_remind(campaign):
        return 0
    reminders = Delivery.objects.filter(campaign=campaign, purpose=DeliveryPurpose.REMINDER)
    round_ = (reminders.aggregate(last=Max("sequence"))["last"] or 0) + 1
    earlier = reminders.count()
    found = to_remind(campaign)
    while rows := list(islice(found, CHUNK)):
        with transaction.atomic():
            _run_again(campaign)
            Delivery.objects.bulk_create(
                [_reminder(campaign, row, round_) for row in rows], ignore_conflicts=True
            )
            announce("tick")
    counts.recount(campaign.pk)
    return reminders.count() - earlier


def _run_again(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk, state=CampaignState.FINISHED).update(
        state=CampaignState.RUNNING, finished_at=None
    )


def _reminder(campaign: Campaign, row: Delivery, round_: int) -> Delivery:
    now = timezone.now()
    assert campaign.relay is not None  # the constraint campaign_has_relay
    return Delivery(
        team_id=campaign.team_id,
        campaign=campaign,
        purpose=DeliveryPurpose.REMINDER,
        source_key=row.source_key,
        sequence=round_,
        resend_of=row,
        row_id=row.row_id,
        row_number=row.row_number,
        address=row.address,
        address_key=row.address_key,
        domain=row.domain,
        priority=PRIORITY_PAYSLIP,
        due_at=now,
        deliver_until=now + timedelta(hours=campaign.relay.deliver_hours),
        relay_id=campaign.relay_id,
        changed_at=now,
    )

"""Retry: what failed, was refused or expired goes out again, to the same recipients, by a person.

Each delivery is queued once more with its Message-ID, and what it had come to stays readable as its
event. What was accepted is never touched, nor what may have been: in doubt now, or ever before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from campaigns.mailer.reply_recipient import DEAD
from campaigns.models import Attempt, Campaign, CampaignEvent, Delivery
from campaigns.models.campaign import CampaignState
from campaigns.models.carrying import EventKind
from campaigns.models.delivery import OPEN, DeliveryPurpose, DeliveryState
from campaigns.models.signals import announce
from campaigns.pipeline import counts
from campaigns.pipeline.delivery_events import note

RETRYABLE = (DeliveryState.FAILED, DeliveryState.REFUSED, DeliveryState.EXPIRED)
_STATES = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.FINISHED)
MOST_A_TICK = 10_000


@dataclass(frozen=True)
class Group:
    """Deliveries that ended the same way for the same reason. `dead`: their addresses are."""

    state: str
    reason: str
    number: int

    @property
    def key(self) -> str:
        return f"{self.state}:{self.reason}"

    @property
    def dead(self) -> bool:
        return self.reason in {str(reason) for reason in DEAD}


def may_retry(campaign: Campaign) -> bool:
    """Launched and not cancelled or recalled; a payslip's content is still there."""
    workbook = campaign.workbook
    return (
        campaign.state in _STATES
        and campaign.planned_at is not None
        and campaign.recalled_at is None
        and not (workbook is not None and workbook.is_destroyed)
    )


def retryable(campaign: Campaign) -> QuerySet[Delivery]:
    """Not where content may have arrived; nor where another message about it is out already."""
    doubted = Attempt.objects.filter(delivery=OuterRef("pk"), outcome="in_doubt")
    again = Delivery.objects.filter(
        campaign=campaign,
        purpose=DeliveryPurpose.RESEND,
        source_key=OuterRef("source_key"),
        state__in=[*OPEN, DeliveryState.ACCEPTED, DeliveryState.IN_DOUBT],
    )
    return Delivery.objects.filter(
        ~Exists(doubted),
        ~Exists(again),
        campaign=campaign,
        purpose=DeliveryPurpose.CAMPAIGN,
        state__in=RETRYABLE,
        resolved_note="",
    ).exclude(reason="worker_lost")


def groups(campaign: Campaign) -> list[Group]:
    """What could be tried again, by how and why it failed; the most first."""
    if not may_retry(campaign):
        return []
    rows = retryable(campaign).values_list("state", "reason").annotate(number=Count("pk"))
    return [Group(*row) for row in rows.order_by("-number", "state", "reason")]


def underway(campaign: Campaign) -> bool:
    """Whether a retry is being worked off now."""
    return CampaignEvent.objects.filter(
        campaign=campaign, kind=EventKind.RETRIED, done_at=None
    ).exists()


def begin(campaign: Campaign, keys: Sequence[str], user: User | None) -> int:
    """Asks for the chosen groups; a tick queues them. How many there are: 0 changes nothing.

    A finished campaign runs again. A second click finds the first at work.
    """
    chosen = [group for group in groups(campaign) if group.key in keys]
    number = sum(group.number for group in chosen)
    if not number:
        return 0
    with transaction.atomic():
        mine = Campaign.objects.select_for_update().filter(
            pk=campaign.pk, state__in=_STATES, recalled_at=None
        )
        if not mine.exists() or underway(campaign):
            return 0
        CampaignEvent.objects.create(
            team_id=campaign.team_id,
            campaign=campaign,
            kind=EventKind.RETRIED,
            chosen=[[group.state, group.reason] for group in chosen],
            user=user,
        )
        mine.filter(state=CampaignState.FINISHED).update(
            state=CampaignState.RUNNING, finished_at=None
        )
        announce("tick")
    return number


def work_off() -> None:
    """Queues what was asked for, in short transactions; part of the sweep."""
    asked = CampaignEvent.objects.filter(kind=EventKind.RETRIED, done_at=None)
    for event in asked.select_related("campaign__workbook"):
        step, queued = 1, 0
        while step and queued < MOST_A_TICK:
            step = _queue_some(event) if may_retry(event.campaign) else 0
            queued += step
        if queued:
            counts.recount(event.campaign_id)
        if not step:
            CampaignEvent.objects.filter(pk=event.pk).update(done_at=timezone.now())


def _queue_some(event: CampaignEvent) -> int:
    """What ended again since then is a new failure, and waits for a new decision."""
    wanted = Q()
    for state, reason in event.chosen:
        wanted |= Q(state=state, reason=reason)
    failed = retryable(event.campaign).filter(wanted, changed_at__lte=event.at).order_by("pk")
    with transaction.atomic():
        if connection.vendor == "postgresql":  # SQLite has one writer at a time
            failed = failed.select_for_update(skip_locked=True, of=("self",))
        rows = list(failed[: 2000 if connection.vendor == "postgresql" else 500])
        now = timezone.now()
        note(event, rows, now)
        _queue(rows)
        CampaignEvent.objects.filter(pk=event.pk).update(number=F("number") + len(rows))
    return len(rows)


def _queue(rows: list[Delivery]) -> None:
    """As new: all tries, and the hours that its relay gives."""
    now = timezone.now()
    hours = dict(
        Delivery.objects.filter(pk__in=[row.pk for row in rows])
        .order_by()
        .values_list("relay", "relay__deliver_hours")
        .distinct()
    )
    for relay, given in hours.items():
        Delivery.objects.filter(pk__in=[row.pk for row in rows if row.relay_id == relay]).update(
            state=DeliveryState.QUEUED,
            claim=None,
            attempts=0,
            due_at=now,
            deliver_until=now + timedelta(hours=given),
            reason="",
            detail="",
            code=None,
            enhanced="",
            changed_at=now,
        )

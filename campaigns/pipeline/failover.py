"""Failover: what waits for a parked, disabled or dead relay goes to the campaign's other relays.

Only what surely did not reach anybody: a delivery of whose content a relay may have taken stays where
it is (invariant 4). Each move is a row that a person can read. A relay that comes back first gets a
few deliveries; once it took one of them, what still waits is shared by weight again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from campaigns.models import (
    Attempt,
    CampaignEvent,
    CampaignRelay,
    CampaignStop,
    Delivery,
)
from campaigns.models.campaign import CampaignState
from campaigns.models.carrying import EventKind
from campaigns.models.delivery import WAITING, DeliveryPurpose
from campaigns.pipeline.delivery_events import note
from campaigns.pipeline.shares import turns

# A relay that is back sooner keeps its work.
PATIENCE = timedelta(minutes=1)
# A relay without news for so long after its park is taken for well.
FORGOTTEN = timedelta(minutes=10)
# What a relay that comes back gets before it has taken a message.
TRIAL = 5
# Moves between the same two relays within this time are one line on the campaign's page.
ONE_LINE = timedelta(minutes=10)
MOST_A_TICK = 10_000


@dataclass
class Move:
    """`reason` is a code of campaigns/reasons.py: why it could not stay."""

    kind: EventKind
    source: CampaignRelay
    targets: Sequence[CampaignRelay]
    reason: str


def move_stranded() -> int:
    """For each running campaign of several relays; how many deliveries were moved."""
    several = (
        CampaignRelay.objects.filter(
            campaign__state=CampaignState.RUNNING,
            campaign__hold_reason="",
            campaign__planned_at__isnull=False,
        )
        .select_related("relay")
        .defer("relay__secret", "relay__ca_pem")
        .annotate(from_address=F("campaign__from_address"))
        .order_by("campaign_id", "pk")
    )
    # One that stands still on this relay by a stop rule waits for a person there.
    stopped = CampaignStop.objects.filter(
        campaign=OuterRef("campaign"), relay=OuterRef("relay"), lifted_at=None
    )
    rows = several.annotate(stopped=Exists(stopped.filter(domain="")))
    by_campaign = groupby(rows, key=lambda row: row.campaign_id)
    return sum(_attend(list(carriers)) for _campaign, carriers in by_campaign)


def _attend(carriers: list[CampaignRelay]) -> int:
    now = timezone.now()
    for carrier in carriers:
        _watch(carrier, now)
    able = [carrier for carrier in carriers if _is_able(carrier, now)]
    targets = [carrier for carrier in able if carrier.emptied_at is None] or able
    moved = 0
    for carrier in carriers:
        if carrier.stopped:
            continue
        if _is_stranded(carrier, now):
            others = [target for target in targets if target is not carrier]
            moved += _empty(carrier, others, now)
        elif carrier.emptied_at is not None and carrier in able:
            moved += _welcome(carrier, [target for target in targets if target is not carrier])
    return moved


# How a relay is ------------------------------------------------------------------------------------


def _is_parked(carrier: CampaignRelay, now: datetime) -> bool:
    until = carrier.relay.parked_until
    return until is not None and until > now


def _is_able(carrier: CampaignRelay, now: datetime) -> bool:
    """May take over others' work: it runs, and lets the from-address through."""
    relay = carrier.relay
    well = relay.enabled and not _is_parked(carrier, now) and not carrier.stopped
    return well and relay.may_send_as(carrier.from_address)


def _is_stranded(carrier: CampaignRelay, now: datetime) -> bool:
    """Disabled; or parked for more than a minute, at once or by one short park after the other."""
    if not carrier.relay.enabled:
        return True
    if not _is_parked(carrier, now):
        return False
    assert carrier.trouble_since is not None  # _watch
    return carrier.relay.parked_until - now > PATIENCE or now - carrier.trouble_since > PATIENCE


def _watch(carrier: CampaignRelay, now: datetime) -> None:
    """Since when it is in trouble: until it has taken a message again, or nothing was heard of it."""
    if not carrier.relay.enabled or _is_parked(carrier, now):
        if carrier.trouble_since is None:
            _set(carrier, trouble_since=now)
    elif carrier.trouble_since is not None and carrier.emptied_at is None:
        ended = carrier.relay.parked_until or carrier.trouble_since
        if now - ended > FORGOTTEN or _has_taken(carrier, carrier.trouble_since):
            _set(carrier, trouble_since=None)


def _has_taken(carrier: CampaignRelay, since: datetime) -> bool:
    """Whether the relay accepted a message since then, of whatever campaign."""
    tried = Attempt.objects.filter(relay=carrier.relay_id, started_at__gt=since)
    return tried.filter(outcome="accepted").exists()


def _set(carrier: CampaignRelay, **values: datetime | None) -> None:
    CampaignRelay.objects.filter(pk=carrier.pk).update(**values)
    for name, value in values.items():
        setattr(carrier, name, value)


# What moves ----------------------------------------------------------------------------------------


def movable(campaign_id: int, relay_id: int) -> QuerySet[Delivery]:
    """Unclaimed waiting deliveries whose content surely nobody has: not one that was ever in doubt."""
    doubted = Attempt.objects.filter(delivery=OuterRef("pk"), outcome="in_doubt")
    # Queued again out of doubt by a person or by the campaign's policy (sweep, control).
    settled = ~Q(resolved_note="") & ~Q(purpose=DeliveryPurpose.RESEND)
    stopped = CampaignStop.objects.filter(
        campaign=campaign_id, relay=relay_id, domain=OuterRef("domain"), lifted_at=None
    )
    return (
        Delivery.objects.filter(campaign=campaign_id, relay=relay_id, state__in=WAITING, claim=None)
        .exclude(purpose=DeliveryPurpose.TEST)
        .exclude(Q(reason="worker_lost") | settled)
        .exclude(Exists(doubted))
        .exclude(Exists(stopped))
    )


def _empty(carrier: CampaignRelay, targets: list[CampaignRelay], now: datetime) -> int:
    """All its waiting work, shared among the others by their weights."""
    if not targets:
        return 0
    reason = carrier.relay.park_reason or ("" if carrier.relay.enabled else "relay_disabled")
    moved = move(Move(EventKind.MOVED, carrier, targets, reason), MOST_A_TICK)
    if moved:
        _set(carrier, emptied_at=now)
    return moved


def _welcome(carrier: CampaignRelay, others: list[CampaignRelay]) -> int:
    """A relay that is back: a few on trial, then its share of all that still waits."""
    assert carrier.emptied_at is not None
    campaign = carrier.campaign_id
    if not _has_taken(carrier, carrier.emptied_at):
        if movable(campaign, carrier.relay_id).exists() or not others:
            return 0
        fullest = max(others, key=lambda other: movable(campaign, other.relay_id).count())
        return move(Move(EventKind.RETURNED, fullest, [carrier], "relay_trial"), TRIAL)
    moved = sum(
        move(Move(EventKind.RETURNED, other, [carrier], "relay_back"), surplus)
        for other, surplus in _surpluses(carrier, others)
    )
    _set(carrier, emptied_at=None, trouble_since=None)
    return moved


def _surpluses(
    carrier: CampaignRelay, others: list[CampaignRelay]
) -> list[tuple[CampaignRelay, int]]:
    """How much more than its share of what waits each of the others has, up to what is missing."""
    everybody = [carrier, *others]
    waiting = {one.pk: movable(one.campaign_id, one.relay_id).count() for one in everybody}
    total, weights = sum(waiting.values()), sum(one.weight for one in everybody)
    missing = total * carrier.weight // weights - waiting[carrier.pk]
    found = []
    for other in others:
        surplus = min(waiting[other.pk] - total * other.weight // weights, missing)
        if surplus > 0:
            found.append((other, surplus))
            missing -= surplus
    return found


def move(what: Move, most: int) -> int:
    """Moves up to `most` deliveries in short transactions, one row of each move for a person."""
    chunk = 2000 if connection.vendor == "postgresql" else 500
    moved = 0
    while moved < most:
        step = _move_some(what, min(chunk, most - moved))
        moved += step
        if not step:
            break
    return moved


def _move_some(what: Move, limit: int) -> int:
    source = what.source
    with transaction.atomic():
        waiting = movable(source.campaign_id, source.relay_id).order_by("due_at", "pk")
        if connection.vendor == "postgresql":  # SQLite has one writer at a time
            waiting = waiting.select_for_update(skip_locked=True, of=("self",))
        rows = list(waiting[:limit])
        rounds = turns([target.weight for target in what.targets])
        for index, target in enumerate(what.targets):
            mine = [row for place, row in enumerate(rows) if rounds[place % len(rounds)] == index]
            if mine:
                _give(what, target, mine)
    return len(rows)


def _give(what: Move, target: CampaignRelay, rows: list[Delivery]) -> None:
    now = timezone.now()
    Delivery.objects.filter(pk__in=[row.pk for row in rows], claim=None, state__in=WAITING).update(
        relay=target.relay_id
    )
    event = _event(what, target, len(rows), now)
    note(event, rows, now)


def _event(what: Move, target: CampaignRelay, number: int, now: datetime) -> CampaignEvent:
    """The line on the campaign's page: the last one goes on where it says the same."""
    same = CampaignEvent.objects.filter(
        campaign=what.source.campaign_id,
        kind=what.kind,
        relay_from=what.source.relay_id,
        relay_to=target.relay_id,
        reason=what.reason[:300],
        at__gt=now - ONE_LINE,
    ).first()
    if same is not None:
        CampaignEvent.objects.filter(pk=same.pk).update(number=F("number") + number)
        return same
    return CampaignEvent.objects.create(
        team_id=target.team_id,
        campaign_id=what.source.campaign_id,
        kind=what.kind,
        relay_from_id=what.source.relay_id,
        relay_to_id=target.relay_id,
        reason=what.reason[:300],
        number=number,
        at=now,
        done_at=now,
    )

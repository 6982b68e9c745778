"""Foretell: when a campaign will be finished, from what the rows and the ledger say now.

It gathers what `mailer.forecast` needs: the relays with their limits, what those have counted, their
measured pace and warm-up; the limited domains; sending hours; and the other campaigns in front.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from django.core.cache import cache
from django.db.models import Count, Q
from django.utils import timezone
from redis import RedisError

from accounts.models import Relay
from campaigns.mailer.forecast import HORIZON, Carrier, Destination, Queue, Waiting, forecast
from campaigns.mailer.throttle import MICROSECONDS, Window, WindowKind
from campaigns.models import Attempt, Campaign, Delivery, ListMember, WorkbookRow
from campaigns.models.campaign import CampaignState
from campaigns.models.contact import MemberStatus
from campaigns.models.delivery import OPEN, WAITING
from campaigns.pipeline.failover import PATIENCE
from campaigns.pipeline.ledger import ledger, windows_of
from campaigns.pipeline.limited_domains import LimitedDomains, covering, limits_of
from campaigns.pipeline.sending_hours import hours_of
from campaigns.pipeline.shares import Carrier as Carrying
from campaigns.pipeline.shares import carriers_of

# Of so many of a relay's last messages the middle one tells its pace; without any, seconds a message.
_MEASURED = 200
_UNMEASURED = 0.2
# How finely a window's past is looked at: places in its length.
_PLACES = 24
# A page that polls gets the same answer for so long (seconds).
_KEPT = 20


@dataclass(frozen=True)
class Foretold:
    """`ends_at`: None if it cannot be said. `deliver_until`: what is not sent by then is given up.
    `opens_at`: when its hours open next, if they are closed. `unknown_years`: whose holidays are not
    known, so that Monday to Friday count."""

    ends_at: datetime | None
    deliver_until: datetime
    opens_at: datetime | None
    unknown_years: list[int]
    now: datetime

    @property
    def seconds(self) -> int | None:
        return None if self.ends_at is None else round((self.ends_at - self.now).total_seconds())


def of_draft(campaign: Campaign, recipients: int) -> Foretold:
    """If it were launched now; what would wait for a relay that is away goes through the others."""
    limits = limits_of(campaign.team_id)
    by_limit = [_recipients_at(campaign, limit) for limit in limits]
    waiting: Waiting = {}
    carriers = carriers_of(campaign)
    whole = sum(carrier.weight for carrier in carriers)
    for carrier in carriers:
        share = carrier.weight / whole
        for limit, number in zip(limits, by_limit, strict=True):
            waiting[carrier.relay.pk, limit.limit_id] = number * share
        waiting[carrier.relay.pk, None] = max(0, recipients - sum(by_limit)) * share
    return _foretold(campaign, carriers, waiting, limits)


def of_running(campaign: Campaign) -> Foretold | None:
    """Of what still waits; None when nothing does, or it does not run. Kept for some seconds."""
    if campaign.state != CampaignState.RUNNING or campaign.hold_reason or not campaign.planned_at:
        return None

    def found() -> Foretold | None:
        limits = limits_of(campaign.team_id)
        waiting = _waiting(campaign, limits)
        if not any(waiting.values()):
            return None
        foretold = _foretold(campaign, carriers_of(campaign), waiting, limits)
        # They were planned together: any of them tells for all.
        rows = Delivery.objects.filter(campaign=campaign, state__in=WAITING)
        until = rows.values_list("deliver_until", flat=True)[:1]
        return replace(foretold, deliver_until=next(iter(until), foretold.deliver_until))

    return cache.get_or_set(f"foretold:{campaign.pk}", found, _KEPT)


def _foretold(
    campaign: Campaign,
    carriers: Sequence[Carrying],
    waiting: Waiting,
    limits: Sequence[LimitedDomains],
) -> Foretold:
    now = timezone.now()
    hours = hours_of(campaign)
    interval = hours.current(now) if hours else None
    opens = max(now, interval[0]) if interval else now
    relays = [carrier.relay for carrier in carriers]
    longest = max((relay.deliver_hours for relay in relays), default=0)
    others = _others(campaign, relays, now)
    through = {relay.pk: _carrier(relay, now) for relay in relays}
    limited = {limit.limit_id: _destination(limit) for limit in limits}
    moved = _moved(campaign, carriers, waiting, now)
    found = [
        forecast(
            campaign.pk,
            {campaign.pk: Queue(lanes, _tier(campaign), hours)} | others,
            through,
            limited,
            now=now,
        )
        for lanes in (waiting, moved)
        if lanes
    ]
    ends = min((end for end in found if end is not None), default=None)
    return Foretold(
        ends,
        opens + timedelta(hours=longest),
        opens if opens > now else None,
        hours.unknown_years(now, ends) if hours and ends else [],
        now,
    )


def _moved(
    campaign: Campaign, carriers: Sequence[Carrying], waiting: Waiting, now: datetime
) -> Waiting:
    """What waits for relays that are away, shared out among the others (failover.py); nothing where none does."""
    away = {one.relay.pk for one in carriers if _closed_for(one.relay, now) > PATIENCE}
    able = [
        one
        for one in carriers
        if one.relay.pk not in away and one.relay.may_send_as(campaign.from_address)
    ]
    if not able or not any(relay in away for relay, _limit in waiting):
        return {}
    whole = sum(one.weight for one in able)
    found = {lane: number for lane, number in waiting.items() if lane[0] not in away}
    for (relay, limit), number in waiting.items():
        for one in able if relay in away else ():
            lane = (one.relay.pk, limit)
            found[lane] = found.get(lane, 0.0) + number * one.weight / whole
    return found


def _closed_for(relay: Relay, now: datetime) -> timedelta:
    """A relay that is switched off stays so: nothing is foretold of it."""
    if not relay.enabled:
        return timedelta(seconds=2 * HORIZON)
    return max(timedelta(), relay.parked_until - now) if relay.parked_until else timedelta()


def _tier(campaign: Campaign) -> int:
    return 0 if campaign.is_payslip else 1


# What waits ---------------------------------------------------------------------------------------


def _waiting(campaign: Campaign, limits: Sequence[LimitedDomains]) -> Waiting:
    """By relay and limited domain. Without several relays or limits, from the campaign's counts."""
    if not limits and not campaign.carriers.exists():
        number = sum(campaign.counts.get(state, 0) for state in OPEN)
        return {(campaign.relay_id, None): float(number)}
    rows = Delivery.objects.filter(campaign=campaign, state__in=WAITING)
    every = dict(rows.values_list("relay").annotate(Count("pk")))
    found: Waiting = {}
    for limit in limits:
        mine = rows.filter(covering(limit, "domain")).values_list("relay").annotate(Count("pk"))
        for relay, number in mine:
            found[relay, limit.limit_id] = number
            every[relay] -= number
    return found | {(relay, None): float(max(0, number)) for relay, number in every.items()}


def _recipients_at(campaign: Campaign, limit: LimitedDomains) -> int:
    """Recipients of a draft at the limit's domains."""
    ends = [f"@{domain}" for domain in limit.exact] + [f".{parent}" for parent in limit.below]
    if campaign.workbook is not None:
        mine = _ending("address_key", ends)
        reading = campaign.workbook.reading
        rows = WorkbookRow.objects.filter(mine, workbook=campaign.workbook, reading=reading)
        return rows.count()
    members = ListMember.objects.filter(
        _ending("contact__address_key", ends),
        contact_list=campaign.contact_list_id,
        status=MemberStatus.SUBSCRIBED,
    )
    return members.count()


def _ending(column: str, ends: Iterable[str]) -> Q:
    condition = Q(pk=None)  # nothing, if there are none
    for end in ends:
        condition |= Q(**{f"{column}__endswith": end})
    return condition


def _others(campaign: Campaign, relays: Sequence[Relay], now: datetime) -> dict[int, Queue]:
    """The other campaigns on the same relays that run, or will, with what they have left."""
    mine = {relay.pk for relay in relays}
    rows = (
        Campaign.objects.filter(
            Q(relay__in=mine) | Q(carriers__relay__in=mine),
            state__in=[CampaignState.RUNNING, CampaignState.SCHEDULED],
            hold_reason="",
        )
        .exclude(pk=campaign.pk)
        .distinct()
        .prefetch_related("state_counts")
        .select_related("workbook")
    )
    found = {}
    for other in rows:
        carriers = carriers_of(other)
        whole = sum(carrier.weight for carrier in carriers)
        left = _left(other)
        waiting: Waiting = {
            (carrier.relay.pk, None): left * carrier.weight / whole
            for carrier in carriers
            if carrier.relay.pk in mine
        }
        starts = other.scheduled_at if other.state == CampaignState.SCHEDULED else None
        starts_in = max(0.0, (starts - now).total_seconds()) if starts else 0.0
        found[other.pk] = Queue(waiting, _tier(other), hours_of(other), starts_in)
    return found


def _left(campaign: Campaign) -> int:
    if campaign.planned_at is not None:
        return sum(campaign.counts.get(state, 0) for state in OPEN)
    if campaign.workbook is not None:
        return campaign.workbook.row_count
    members = ListMember.objects.filter(
        contact_list=campaign.contact_list_id, status=MemberStatus.SUBSCRIBED
    )
    return members.count()


# What lets it through -----------------------------------------------------------------------------


def _carrier(relay: Relay, now: datetime) -> Carrier:
    warm_up = getattr(relay, "warm_up", None)
    own = tuple(
        Window(WindowKind(limit.window), limit.amount, limit.zone or None)
        for limit in relay.limits.all()
    )
    return Carrier(
        own,
        relay.max_connections,
        _pace(relay),
        _history(relay.quota_group, windows_of(relay)),
        _closed_for(relay, now).total_seconds(),
        warm_up.ramp if warm_up else None,
        warm_up.zone if warm_up else "UTC",
    )


def _destination(limit: LimitedDomains) -> Destination:
    return Destination(limit.windows, _history(limit.group, limit.windows))


def _pace(relay: Relay) -> float:
    """Seconds that a message takes on one connection, measured at its last ones."""
    last = Attempt.objects.filter(relay=relay, content_began=True).order_by("-started_at")
    spans = [
        (ended - started).total_seconds()
        for started, ended in last.values_list("started_at", "ended_at")[:_MEASURED]
    ]
    return max(0.001, median(spans)) if spans else _UNMEASURED


def _history(group: str, windows: Iterable[Window]) -> tuple[tuple[float, int], ...]:
    """(seconds ago, messages) that the windows count already; nothing while Redis is away."""
    lengths = {window.length / MICROSECONDS for window in windows if window.length > MICROSECONDS}
    ages = sorted({length * place / _PLACES for length in lengths for place in range(_PLACES + 1)})
    if not ages:
        return ()
    try:
        younger = ledger().history(group, ages)
    except RedisError:
        return ()
    between = zip(pairwise(ages), pairwise(younger), strict=True)
    return tuple(((a + b) / 2, more - less) for (a, b), (less, more) in between if more > less)

"""Lanes: what a claim takes apart, so that no recipient domain holds the others up.

Each limited domain (or group of domains) is a lane of its own, as wide as its windows have room and
never wider than its share of the batch; all other domains are the last lane. What is parked on the
relay, or rests, is in none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from django.conf import settings
from django.db import connection
from django.utils import timezone
from redis import RedisError

from accounts.models import Relay
from campaigns.mailer.throttle import MICROSECONDS, WindowKind
from campaigns.models import DomainPark
from campaigns.pipeline.clock import stamp
from campaigns.pipeline.ledger import ledger
from campaigns.pipeline.limited_domains import LimitedDomains, limit_for, limits_of

# Between so many left-out domains at most an index is asked, one by one, whether others wait.
_MOST_RANGES = 200
# What a claim takes of a limited domain at most: for each message that may be under way, or at all.
_A_CONNECTION, _MOST = 50, 100_000


@dataclass
class Lane:
    """A condition on the rows of a delivery, and how many of them may be claimed (None: any number)."""

    sql: str
    values: tuple[object, ...]
    room: int | None = None
    # The domains that the last lane leaves out, by name.
    skips: Sequence[str] = ()

    def part(self, wanted: int) -> int:
        return wanted if self.room is None else min(wanted, self.room)

    def took(self, number: int) -> None:
        if self.room is not None:
            self.room -= number


def lanes_of(relay: Relay) -> list[Lane]:
    """The limited domains that may be sent to now, and last all others; one lane if there is no limit."""
    limits = limits_of(relay.team_id)
    parked, values, skips = _parked(relay)
    lanes = []
    for limit in limits:
        room = 0 if limit.rests else room_of(limit)
        if room > 0:
            sql, named = _covers(limit, limits)
            lanes.append(Lane(f"{sql}{parked}", (*named, *values), room))
    if not limits:
        return [Lane(parked, tuple(values), skips=skips)]
    sql, named = _uncovered(limits)
    skips = [*skips, *(name for limit in limits for name in limit.exact)]
    return [*lanes, Lane(f"{sql}{parked}", (*named, *values), skips=skips)]


def lane_of(relay: Relay, domain: str) -> Lane:
    """One domain alone, as a direct relay's claim wants it."""
    limit = limit_for(domain, limits_of(relay.team_id))
    room = None if limit is None else 0 if limit.rests else room_of(limit)
    parked, values, _names = _parked(relay)
    return Lane(f" AND domain = %s{parked}", (domain, *values), room)


def room_of(limit: LimitedDomains) -> int:
    """Messages that its windows let through within a batch; the ledger decides again for each."""
    most = _MOST
    for window in limit.windows:
        if window.kind is WindowKind.IN_FLIGHT:
            most = window.amount * _A_CONNECTION
    windows = [window for window in limit.windows if window.kind is not WindowKind.IN_FLIGHT]
    if not windows:
        return most
    try:
        used = ledger().usage(limit.group, windows)
    except RedisError:
        return 0
    batch = settings.BATCH_SECONDS * MICROSECONDS
    rooms = (
        window.amount * (1 + batch // window.length) - number
        for window, number in zip(windows, used, strict=True)
    )
    return min([most, *rooms])


def _parked(relay: Relay) -> tuple[str, list[object], list[str]]:
    """The condition, its values, and the first of the parked domains by name."""
    now = timezone.now()
    found = DomainPark.objects.filter(relay=relay, until__gt=now).order_by("domain")
    names = list(found.values_list("domain", flat=True)[:_MOST_RANGES])
    if not names:
        return "", [], []
    return (
        " AND NOT EXISTS (SELECT 1 FROM campaigns_domainpark p WHERE p.relay_id = %s"
        " AND p.domain = campaigns_delivery.domain AND p.until > %s)",
        [relay.pk, stamp(now)],
        names,
    )


def _covers(limit: LimitedDomains, limits: Sequence[LimitedDomains]) -> tuple[str, list[object]]:
    """The limit's own domains; what another one names is not below this one's."""
    likes = " OR domain LIKE %s" * len(limit.below)
    sql = f" AND (domain IN ({_marks(limit.exact)}){likes})"
    values: list[object] = [*limit.exact, *_patterns(limit.below)]
    if named := [name for other in limits if other is not limit for name in other.exact]:
        sql += f" AND domain NOT IN ({_marks(named)})"
        values += named
    return sql, values


def _uncovered(limits: Sequence[LimitedDomains]) -> tuple[str, list[object]]:
    exact = [name for limit in limits for name in limit.exact]
    below = [parent for limit in limits for parent in limit.below]
    unlike = " AND domain NOT LIKE %s" * len(below)
    return f" AND domain NOT IN ({_marks(exact)}){unlike}", [*exact, *_patterns(below)]


def _marks(values: Sequence[str]) -> str:
    """Placeholders; for an empty list a name that no domain has."""
    return ", ".join(["%s"] * len(values)) or "'-'"


def _patterns(parents: Iterable[str]) -> list[str]:
    return [f"%.{parent}" for parent in parents]  # forms take no sign that LIKE would read


# Whether anything waits in a lane -----------------------------------------------------------------


SINGLES = "purpose IN ('test', 'resend')"


def waits(lane: Lane, relay: Relay, campaign_id: int | None) -> bool:
    """Whether the campaign (None: tests and resends) has a due delivery in the lane.

    The last lane is asked between the domains that it leaves out, each time by an index: a hundred
    thousand deliveries to a domain that rests are not walked through to find nothing behind them.
    """
    names = sorted(set(lane.skips))[:_MOST_RANGES]
    ranges: list[tuple[str, list[object]]] = [("", [])]
    if names:
        between = pairwise(names)
        ranges = [
            (" AND domain < %s", [names[0]]),
            *((" AND domain > %s AND domain < %s", [first, last]) for first, last in between),
            (" AND domain > %s", [names[-1]]),
        ]
    which, owner = (SINGLES, []) if campaign_id is None else ("campaign_id = %s", [campaign_id])
    where = f"{which} AND relay_id = %s AND claim_id IS NULL"
    due = "state IN ('queued', 'deferred') AND due_at <= %s"
    now = stamp(timezone.now())
    asked = [
        f"(SELECT 1 FROM campaigns_delivery WHERE {where} AND {due}{part}{lane.sql}"  # noqa: S608
        " ORDER BY domain LIMIT 1)"
        for part, _ in ranges
    ]
    values = [[*owner, relay.pk, now, *given, *lane.values] for _, given in ranges]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT COALESCE({', '.join([*asked, 'NULL', 'NULL'])})", list(chain(*values))
        )
        return cursor.fetchone()[0] is not None


def anything_waits(relay: Relay, campaign_ids: Iterable[int]) -> bool:
    """Whether a claim would find something, where some domains are left out now."""
    lanes = lanes_of(relay)
    if len(lanes) == 1 and not lanes[0].sql:
        return True
    return any(waits(lane, relay, owner) for owner in (None, *campaign_ids) for lane in lanes)

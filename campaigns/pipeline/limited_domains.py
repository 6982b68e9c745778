"""Limited domains: whose mail counts against which DomainLimit, and under which name in the ledger.

A limit is a quota group of its own beside those of the relays, and is rebuilt from the same Attempt
rows: through whichever relay of the team a message to its domains went.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from campaigns.mailer.throttle import Window, WindowKind
from campaigns.models import Attempt, Campaign, Delivery, DomainLimit, DomainPark
from campaigns.models.delivery import WAITING

# No relay's quota group begins with a blank: forms take it away.
_PREFIX = " domains:"
# Shorter waits than this (seconds) are over before a claim could be told of them.
RESTS_FROM = 1.0


@dataclass(frozen=True)
class LimitedDomains:
    """One limit: its group in the ledger, its windows, and which domains it is about."""

    limit_id: int
    group: str
    windows: tuple[Window, ...]
    exact: tuple[str, ...]
    below: tuple[str, ...]  # "example.com" stands for everything below it
    resting_until: datetime | None

    def covers(self, domain: str) -> bool:
        return domain in self.exact or any(domain.endswith(f".{parent}") for parent in self.below)

    @property
    def rests(self) -> bool:
        """Whether its windows were found full, and are not free again yet."""
        return self.resting_until is not None and self.resting_until > timezone.now()


def limits_of(team_id: int) -> list[LimitedDomains]:
    """The team's limits; of two that cover a domain the one that names it counts, then the older."""
    found = DomainLimit.objects.filter(team=team_id, enabled=True).order_by("pk")
    return [limited(limit) for limit in found]


def limited(limit: DomainLimit) -> LimitedDomains:
    """The row as what a sender and the ledger ask for."""
    windows = [Window(WindowKind(window.value), amount) for window, amount in limit.amounts()]
    if limit.connections:
        windows.append(Window(WindowKind.IN_FLIGHT, limit.connections))
    domains = [str(domain) for domain in limit.domains]
    return LimitedDomains(
        limit.pk,
        group_of(limit.pk),
        tuple(windows),
        tuple(domain for domain in domains if not domain.startswith("*.")),
        tuple(domain[2:] for domain in domains if domain.startswith("*.")),
        limit.resting_until,
    )


def limit_for(domain: str, limits: Sequence[LimitedDomains]) -> LimitedDomains | None:
    """The limit that a message to the domain counts against."""
    named = (limit for limit in limits if domain in limit.exact)
    return next(named, None) or next((limit for limit in limits if limit.covers(domain)), None)


def rest(limit: LimitedDomains, seconds: float) -> None:
    """Its windows are full: until one frees, no claim takes its deliveries."""
    until = timezone.now() + timedelta(seconds=min(seconds, 3600))
    DomainLimit.objects.filter(pk=limit.limit_id).update(resting_until=until)


def group_of(limit_id: int) -> str:
    return f"{_PREFIX}{limit_id}"


def groups_beside(team_id: int) -> list[str]:
    """The groups in which a claim of the team may hold permits, beside its relay's."""
    limits = DomainLimit.objects.filter(team=team_id, enabled=True)
    return [group_of(pk) for pk in limits.values_list("pk", flat=True)]


def limit_of_group(group: str) -> DomainLimit | None:
    """None for a relay's group."""
    if not group.startswith(_PREFIX):
        return None
    return DomainLimit.objects.filter(pk=int(group.removeprefix(_PREFIX))).first()


def covering(limit: LimitedDomains, column: str) -> Q:
    """The condition that a row's column holds one of its domains."""
    condition = Q(**{f"{column}__in": limit.exact})
    for parent in limit.below:
        condition |= Q(**{f"{column}__endswith": f".{parent}"})
    return condition


def sent_to(limit: DomainLimit, since: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    """(name, start, end) of each message to its domains whose content began since then."""
    relays = list(limit.team.relays.values_list("pk", flat=True))
    attempts = Attempt.objects.filter(
        covering(limited(limit), "delivery__domain"),
        relay__in=relays,
        started_at__gte=since,
        content_began=True,
    )
    for pk, start, end in attempts.values_list("pk", "started_at", "ended_at").iterator():
        yield f"attempt:{pk}", start, end


def held_up(campaign: Campaign) -> list[str]:
    """Names of what a campaign's waiting messages are held up by: limits that rest, parked domains."""
    now = timezone.now()
    waiting = Delivery.objects.filter(campaign=campaign, state__in=WAITING)
    resting = DomainLimit.objects.filter(
        team=campaign.team_id, enabled=True, resting_until__gt=now
    ).order_by("name")
    found = [
        limit.name
        for limit in resting
        if waiting.filter(covering(limited(limit), "domain")).exists()
    ]
    parks = DomainPark.objects.filter(
        Exists(waiting.filter(domain=OuterRef("domain"), relay=OuterRef("relay"))),
        team=campaign.team_id,
        until__gt=now,
    )
    return [*found, *parks.order_by("domain").values_list("domain", flat=True).distinct()[:10]]

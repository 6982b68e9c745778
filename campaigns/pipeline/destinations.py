"""Destinations: which recipient domain a direct relay's next connections go to.

Domains take turns in the order of their names, after the one that had the last turn: so a domain with a hundred
thousand deliveries has one turn like the others. Found by an index, domain after domain, never row after row.
"""

from __future__ import annotations

from collections import Counter

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import Relay
from campaigns.models import Claim, DomainPark
from campaigns.pipeline.clock import stamp
from campaigns.pipeline.lanes import SINGLES, room_of
from campaigns.pipeline.limited_domains import limit_for, limits_of

# Domains that are looked at in one search; what lies behind them waits for a later turn.
_MOST_STEPS = 500


class Destinations:
    """What may be sent to now; made under the lock of the relay's row. `of_campaign` is the condition on the rows of
    one campaign."""

    def __init__(self, relay: Relay, campaign_ids: list[int], of_campaign: str) -> None:
        self._relay, self._of_campaign = relay, of_campaign
        self._owners: list[int | None] = [None, *campaign_ids]  # tests and resends first
        live = Claim.objects.filter(relay=relay, ended_at=None, lease_until__gt=Now())
        self._open = Counter(live.values_list("domain", flat=True))
        parked = DomainPark.objects.filter(relay=relay, until__gt=timezone.now())
        self._parked = set(parked.values_list("domain", flat=True))
        self._limits = limits_of(relay.team_id)

    def next(self) -> str | None:
        """The domain whose turn it is; None where nothing may go anywhere now."""
        newest = Claim.objects.filter(relay=self._relay).exclude(domain="").order_by("-pk")
        last = newest.values_list("domain", flat=True).first() or ""
        for owner in self._owners:
            found = self._after(owner, last) or (self._after(owner, "") if last else None)
            if found is not None:
                return found
        return None

    def room(self, domain: str) -> int:
        """Connections that may be opened to it beside those that are open."""
        return max(0, self._relay.domain_connections - self._open[domain])

    def _after(self, owner: int | None, last: str) -> str | None:
        """The first one behind it that mail may go to. Order is the database's alone: its collation is not Python's."""
        for _step in range(_MOST_STEPS):
            domain = self._first(owner, last)
            if domain is None or self._may_go(domain):
                return domain
            last = domain
        return None

    def _may_go(self, domain: str) -> bool:
        if domain in self._parked or not self.room(domain):
            return False
        limit = limit_for(domain, self._limits)
        return limit is None or (not limit.rests and room_of(limit) > 0)

    def _first(self, owner: int | None, after: str) -> str | None:
        which, values = (SINGLES, []) if owner is None else (self._of_campaign, [owner])
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT domain FROM campaigns_delivery WHERE {which} AND relay_id = %s "  # noqa: S608
                "AND claim_id IS NULL AND state IN ('queued', 'deferred') AND due_at <= %s "
                "AND domain > %s ORDER BY domain LIMIT 1",
                [*values, self._relay.pk, stamp(timezone.now()), after],
            )
            row = cursor.fetchone()
        return None if row is None else str(row[0])

"""Domain permits of one claim: beside its relay's permit, a message to a limited domain needs one.

One at a time and settled at the reply, not in blocks: `connections` counts messages under way. A domain
without room is asked again only when it may have some; its deliveries are passed over meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from accounts.models import Relay
from campaigns.models import Claim, Delivery
from campaigns.pipeline.ledger import Ledger
from campaigns.pipeline.limited_domains import (
    RESTS_FROM,
    LimitedDomains,
    limit_for,
    limits_of,
    rest,
)
from campaigns.pipeline.outcome import until_committed

# How long a batch waits for a message under way to a domain of few connections (seconds).
_SOON = 0.2


class DomainPermits:
    """`wait` seconds pass at least before one of the domains that were refused may have room."""

    def __init__(self, book: Ledger, relay: Relay, claim: Claim) -> None:
        self._book, self._claim = book, str(claim.pk)
        self._limits: Sequence[LimitedDomains] = limits_of(relay.team_id)
        self._held: dict[int, tuple[str, str]] = {}
        self._full_until: dict[str, float] = {}

    def grant(self, delivery: Delivery) -> bool:
        """Whether the message may go, as far as its domain's limits say; it then holds a permit."""
        limit = limit_for(delivery.domain, self._limits) if self._limits else None
        if limit is None or delivery.pk in self._held:
            return True
        if self._full_until.get(limit.group, 0.0) > time.monotonic():
            return False
        permit = self._book.acquire(limit.group, limit.windows, self._claim, 1)
        if permit.ids:
            self._held[delivery.pk] = (limit.group, permit.ids[0])
            return True
        self._full_until[limit.group] = time.monotonic() + max(permit.wait, 0.02)
        if permit.wait >= RESTS_FROM:
            until_committed(lambda: rest(limit, permit.wait))
        return False

    @property
    def wait(self) -> float:
        """Seconds until a refused domain may be asked again."""
        now = time.monotonic()
        return max(0.0, min(self._full_until.values(), default=now) - now)

    @property
    def soon(self) -> bool:
        """Whether that is worth waiting for with an open connection."""
        return self.wait <= _SOON

    def replied(self, delivery: Delivery) -> None:
        """Its content was answered, or left in doubt: the windows' lengths count from now."""
        if held := self._held.pop(delivery.pk, None):
            self._book.settle(held[0], [held[1]])
            self._full_until.pop(held[0], None)

    def release(self, delivery: Delivery) -> None:
        """Nothing of it was sent."""
        if held := self._held.pop(delivery.pk, None):
            self._book.release(held[0], [held[1]])

    def close(self) -> None:
        """The claim ends: permits that it holds still, and a rebuild's stand-ins, were never used."""
        for limit in self._limits:
            self._book.close(limit.group, self._claim)
        self._held.clear()

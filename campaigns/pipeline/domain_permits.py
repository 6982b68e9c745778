"""Domain permits of one batch: beside its relay's permit, a message to a limited domain needs one.

One at a time and settled at the reply, not in blocks: `connections` counts messages under way. A domain
without room is asked again only when it may have some; its deliveries are passed over meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

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


class DomainPermits:
    """All are taken in the name of the batch's first claim, its `lead`."""

    def __init__(self, book: Ledger, lead: Claim) -> None:
        self._book, self._lead = book, str(lead.pk)
        self._limits: Sequence[LimitedDomains] = limits_of(lead.team_id)
        self._held: dict[int, tuple[str, str]] = {}
        self._full_until: dict[str, float] = {}
        self._freed = False

    def grant(self, delivery: Delivery) -> bool:
        """Whether the message may go, as far as its domain's limits say; it then holds a permit."""
        limit = limit_for(delivery.domain, self._limits) if self._limits else None
        if limit is None or delivery.pk in self._held:
            return True
        if self._full_until.get(limit.group, 0.0) > time.monotonic():
            return False
        holding = sum(group == limit.group for group, _permit in self._held.values())
        permit = self._book.acquire(limit.group, limit.windows, self._lead, 1, holding=holding)
        if permit.ids:
            self._held[delivery.pk] = (limit.group, permit.ids[0])
            return True
        self._full_until[limit.group] = time.monotonic() + max(permit.wait, 0.02)
        if permit.wait >= RESTS_FROM:
            until_committed(lambda: rest(limit, permit.wait))
        return False

    def may_have_room(self) -> bool:
        """Whether one of the domains that were refused is worth being asked again; said once."""
        now = time.monotonic()
        due = [group for group, until in self._full_until.items() if until <= now]
        for group in due:
            del self._full_until[group]
        freed, self._freed = self._freed, False
        return freed or bool(due)

    @property
    def wait(self) -> float:
        """Seconds until the first of them may be asked again."""
        now = time.monotonic()
        return max(0.0, min(self._full_until.values(), default=now) - now)

    def replied(self, delivery: Delivery) -> None:
        """Its content was answered, or left in doubt: the windows' lengths count from now."""
        if held := self._held.pop(delivery.pk, None):
            self._book.settle(held[0], [held[1]])
            # One message fewer is under way; where a window is full, it says so again.
            self._freed |= self._full_until.pop(held[0], None) is not None

    def release(self, delivery: Delivery) -> None:
        """Nothing of it was sent."""
        if held := self._held.pop(delivery.pk, None):
            self._book.release(held[0], [held[1]])
            self._freed |= self._full_until.pop(held[0], None) is not None

    def close(self, claim: Claim) -> None:
        """The claim ends: permits that it holds still, and a rebuild's stand-ins, were never used."""
        for limit in self._limits:
            self._book.close(limit.group, str(claim.pk))

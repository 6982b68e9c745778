"""Tally: how a batch changes the counts of its campaigns, added to them about once a second."""

from __future__ import annotations

import time

from campaigns.models import Delivery
from campaigns.models.delivery import DeliveryPurpose
from campaigns.pipeline import counts
from campaigns.pipeline.outcome import until_committed

# How old the counts on a progress page may be, in seconds.
FLUSH_SECONDS = 1.0


class Tally:
    """Tests stay out of the counts."""

    def __init__(self) -> None:
        self._changes: counts.Counts = {}
        self._flushed_at = time.monotonic()

    def merge(self, changes: counts.Counts) -> None:
        """What a claim ended by itself."""
        for key, change in changes.items():
            self._changes[key] = self._changes.get(key, 0) + change

    def add(self, delivery: Delivery, before: str, after: str) -> None:
        if delivery.purpose != DeliveryPurpose.TEST:
            counts.add(self._changes, delivery.campaign_id, before, after)
        if time.monotonic() - self._flushed_at > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        changes, self._changes = self._changes, {}
        self._flushed_at = time.monotonic()
        until_committed(lambda: counts.apply(changes))

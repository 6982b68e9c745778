"""Usage: how full each window of a relay's limits is, for a page to draw."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from redis import RedisError

from accounts.models import Relay
from accounts.models.relay import LimitWindow
from campaigns.pipeline.ledger import ledger, windows_of

log = logging.getLogger(__name__)
_ORDER = {window: place for place, window in enumerate(LimitWindow.values)}


@dataclass(frozen=True)
class Fill:
    """One limit: `used` of `amount` messages; `window` is a LimitWindow."""

    window: str
    used: int
    amount: int
    zone: str

    @property
    def label(self) -> str:
        return str(LimitWindow(self.window).label)

    @property
    def percent(self) -> int:
        """0 to 100; rounded down, so that 100 is full."""
        return min(100, 100 * self.used // self.amount) if self.amount else 100


def fills_of(relay: Relay) -> list[Fill] | None:
    """The relay's windows, shortest first; None while the ledger cannot be reached."""
    windows = sorted(windows_of(relay), key=lambda window: _ORDER[window.kind])
    try:
        used = ledger().usage(relay.quota_group, windows)
    except RedisError:
        log.warning("The quota ledger could not be read.")
        return None
    return [
        Fill(window.kind, number, window.amount, window.zone or "")
        for window, number in zip(windows, used, strict=True)
    ]

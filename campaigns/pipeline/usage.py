"""Usage: how full each window of a relay's limits is, for a page to draw."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from redis import RedisError

from accounts.models import Relay
from accounts.models.relay import LimitWindow
from campaigns.mailer.throttle import Window, WindowKind
from campaigns.models import DomainLimit
from campaigns.pipeline.ledger import ledger, warm_up_window, windows_of
from campaigns.pipeline.limited_domains import limited

log = logging.getLogger(__name__)
_ORDER = {kind: place for place, kind in enumerate(WindowKind)}


@dataclass(frozen=True)
class Fill:
    """One limit: `used` of `amount` messages; `window` is a WindowKind."""

    window: str
    used: int
    amount: int
    zone: str

    @property
    def label(self) -> str:
        if self.window == WindowKind.IN_FLIGHT:
            return _("同时发送")
        return str(LimitWindow(self.window).label)

    @property
    def percent(self) -> int:
        """0 to 100; rounded down, so that 100 is full."""
        return min(100, 100 * self.used // self.amount) if self.amount else 100


def fills_of(relay: Relay) -> list[Fill] | None:
    """The relay's windows, shortest first; None while the ledger cannot be reached."""
    return _fills(relay.quota_group, windows_of(relay))


def limit_fills(limit: DomainLimit) -> list[Fill] | None:
    """The same for the limit of a recipient domain; messages under way count beside its windows."""
    found = limited(limit)
    return _fills(found.group, found.windows)


def warm_up_fill(relay: Relay) -> Fill | None:
    """How much of what the warm-up allows today is used; None when it is over, or not known."""
    window = warm_up_window(relay)
    fills = _fills(relay.quota_group, [window]) if window else None
    return fills[0] if fills else None


def _fills(group: str, given: Sequence[Window]) -> list[Fill] | None:
    windows = sorted(given, key=lambda window: _ORDER[window.kind])
    try:
        used = ledger().usage(group, windows)
    except RedisError:
        log.warning("The quota ledger could not be read.")
        return None
    return [
        Fill(window.kind, number, window.amount, window.zone or "")
        for window, number in zip(windows, used, strict=True)
    ]

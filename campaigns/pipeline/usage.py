"""Usage: how full each window of a relay's limits is, for a page to draw."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    is_warm_up: bool = False

    @property
    def label(self) -> str:
        if self.window == WindowKind.IN_FLIGHT:
            return _("同时发送")
        label = str(LimitWindow(self.window).label)
        return _("%(window)s（预热）") % {"window": label} if self.is_warm_up else label

    @property
    def percent(self) -> int:
        """0 to 100; rounded down, so that 100 is full."""
        return min(100, 100 * self.used // self.amount) if self.amount else 100


def fills_of(relay: Relay) -> list[Fill] | None:
    """The relay's windows, shortest first; None while the ledger cannot be reached."""
    fills, ramp = _fills(relay.quota_group, windows_of(relay)), warm_up_window(relay)
    if fills is None or ramp is None:
        return fills
    return [replace(fill, is_warm_up=_is_of(fill, ramp)) for fill in fills]


def limit_fills(limit: DomainLimit) -> list[Fill] | None:
    """The same for the limit of a recipient domain; messages under way count beside its windows."""
    found = limited(limit)
    return _fills(found.group, found.windows)


def _is_of(fill: Fill, window: Window) -> bool:
    return (fill.window, fill.amount) == (window.kind, window.amount)


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

"""What one relay or domain has let through, for a forecast: room now, and when there is more.

The windows are those of the ledger (`throttle.Window`), with fractions of messages. A window that turns
over many times within the forecast becomes a steady rate.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.mailer.throttle import MICROSECONDS, Window, WindowKind
from campaigns.mailer.warm_up import Ramp

# A window shorter than so many steps is a steady rate.
_STEADY = 8
_NOTHING = 1e-6
# Until a message's reply is settled in the ledger (seconds; permits.SETTLE_SECONDS at most).
_SETTLED = 0.13


@dataclass(slots=True)
class _Rolling:
    """A rolling window: what it counts, oldest first, and the sum of it."""

    length: float
    amount: float
    counted: deque[tuple[float, float]] = field(default_factory=deque)
    used: float = 0.0

    def room(self, now: float) -> float:
        while self.counted and self.counted[0][0] + self.length <= now + _NOTHING:
            self.used -= self.counted.popleft()[1]
        if not self.counted:
            self.used = 0.0
        return self.amount - self.used

    def frees(self, now: float) -> float:
        over = self.used - self.amount
        for moment, number in self.counted:
            over -= number
            if over < -_NOTHING:
                return moment + self.length
        return now

    def count(self, moment: float, number: float) -> None:
        self.counted.append((moment, number))
        self.used += number


@dataclass(slots=True)
class _Daily:
    """A calendar day's window, whose amount a warm-up may set for each day."""

    zone: ZoneInfo
    amount: float
    ramp: Ramp | None = None
    day: date | None = None
    used: float = 0.0

    def room(self, now: float) -> float:
        used, amount = self._of(now), self.amount
        if self.ramp is not None and self.day is not None:
            of_day = self.ramp.amount_on(self.day)
            amount = math.inf if of_day is None else of_day
        return amount - used

    def count(self, moment: float, number: float) -> None:
        self._of(moment)
        self.used += number

    def frees(self, now: float) -> float:
        tomorrow = datetime.fromtimestamp(now, self.zone).date() + timedelta(days=1)
        return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=self.zone).timestamp()

    def _of(self, moment: float) -> float:
        day = datetime.fromtimestamp(moment, self.zone).date()
        if day != self.day:
            self.day, self.used = day, 0.0
        return self.used


@dataclass(slots=True)
class Meter:
    """All windows of one relay or domain. Times are seconds since the epoch."""

    rolling: list[_Rolling] = field(default_factory=list)
    daily: list[_Daily] = field(default_factory=list)
    rate: float = math.inf
    opens: float = -math.inf

    @property
    def windows(self) -> list[_Rolling | _Daily]:
        return [*self.rolling, *self.daily]

    def limit_rate(self, rate: float) -> None:
        self.rate = min(self.rate, rate)

    def add_ramp(self, ramp: Ramp, zone: str) -> None:
        """A warm-up: each day's window has the amount of that day."""
        self.daily.append(_Daily(ZoneInfo(zone), math.inf, ramp))

    def takes(self, now: float, span: float) -> float:
        """Messages that may go within the span, if no window frees meanwhile."""
        if now < self.opens:
            return 0.0
        rooms = [window.room(now) for window in self.windows]
        return max(0.0, min([self.rate * span, *rooms]))

    def frees(self, now: float) -> float:
        """When there may be room: after now, or now if there is some."""
        if now < self.opens:
            return self.opens
        moments = [window.frees(now) for window in self.windows if window.room(now) <= _NOTHING]
        return max(moments, default=now)

    def count(self, moment: float, number: float) -> None:
        for window in self.windows:
            window.count(moment, number)

    def remember(self, history: Iterable[tuple[float, int]], now: float) -> None:
        """What was sent before: (seconds ago, messages)."""
        for ago, number in sorted(history, reverse=True):
            self.count(now - ago, number)
        for daily in self.daily:
            daily.room(now)


def a_meter(windows: Iterable[Window], step: float, seconds_each: float) -> Meter:
    """An empty one. A message occupies its windows for `seconds_each` longer than they last."""
    meter = Meter()
    for window in windows:
        if window.kind is WindowKind.IN_FLIGHT:
            meter.limit_rate(window.amount / seconds_each)
        elif window.zone is not None:
            meter.daily.append(_Daily(ZoneInfo(window.zone), window.amount))
        else:
            _add(meter, window, step, seconds_each)
    return meter


def _add(meter: Meter, window: Window, step: float, seconds_each: float) -> None:
    length = window.length / MICROSECONDS
    occupied = length + (seconds_each if window.kind is WindowKind.SECOND else _SETTLED)
    if length < _STEADY * step:
        meter.limit_rate(window.amount / occupied)
    else:
        meter.rolling.append(_Rolling(occupied, window.amount))

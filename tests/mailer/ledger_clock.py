"""A clock for the quota ledger's tests, and a ledger that runs on it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from campaigns.mailer.throttle import MemoryLedger

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
SHANGHAI = "Asia/Shanghai"


class Clock:
    """True time in whole microseconds, and a wall clock that can be wrong by `skew` seconds."""

    def __init__(self, start: float = NOON) -> None:
        self.now = round(start * 1_000_000)
        self.skew = 0.0

    @property
    def true(self) -> float:
        return self.now / 1_000_000

    @true.setter
    def true(self, seconds: float) -> None:
        self.now = round(seconds * 1_000_000)

    def wall(self) -> float:
        return self.true + self.skew

    def monotonic(self) -> float:
        return self.true - NOON + 5.0


def a_ledger(clock: Clock) -> MemoryLedger:
    return MemoryLedger(clock.wall, monotonic=clock.monotonic)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(SHANGHAI)).timestamp()

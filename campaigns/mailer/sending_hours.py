"""Sending hours: at which instants a campaign may send, by wall time of a zone.

Hours of a weekday, or of the working days of China: statutory holidays are closed and the weekend days
that are worked in exchange (调休) are open, as the State Council announces for one year at a time.
For a year that the calendar's library does not know, Monday to Friday count, but for the holidays whose day the
law names; `unknown_years` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

import chinese_calendar  # type: ignore[import-untyped]  # it has none

# Days: how far ahead an opening is looked for. No set of weekdays or holidays closes so long.
_HORIZON = 60
# (month, day): 全国年节及纪念日放假办法 as of 2025 puts these on days of the solar calendar; the others follow the moon.
_NAMED_BY_LAW = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})


class Calendar(StrEnum):
    """What makes a day one to send on."""

    WEEKDAYS = "weekdays"
    CHINA = "china"


@dataclass(frozen=True, slots=True)
class Hours:
    """From `opens` to `closes`; past midnight where `closes` is not the later one. `weekdays` as of
    date.weekday(); they do not count with the calendar of China."""

    opens: time
    closes: time
    weekdays: frozenset[int]
    zone: str
    calendar: Calendar = Calendar.WEEKDAYS

    def is_open_on(self, day: date) -> bool:
        """Whether an interval begins on that day of the zone."""
        if self.calendar is Calendar.CHINA:
            return _is_workday(day)
        return day.weekday() in self.weekdays

    def intervals(self, since: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Opening and closing instants (UTC) that end after `since`, in order, without end.

        Stops after a stretch of `_HORIZON` closed days: then it never opens.
        """
        zone = ZoneInfo(self.zone)
        day = since.astimezone(zone).date() - timedelta(days=1)
        closed = 0
        while closed < _HORIZON:
            if self.is_open_on(day):
                closed = 0
                opens = instant(day, self.opens, zone)
                later = self.closes <= self.opens
                closes = instant(day + timedelta(days=int(later)), self.closes, zone)
                if closes > since and closes > opens:
                    yield opens, closes
            else:
                closed += 1
            day += timedelta(days=1)

    def current(self, now: datetime) -> tuple[datetime, datetime] | None:
        """The interval that is open now, or else the next one; None if it never opens."""
        return next(self.intervals(now), None)

    def unknown_years(self, since: datetime, until: datetime) -> list[int]:
        """Years in between whose holidays the library does not know; empty without that calendar."""
        if self.calendar is not Calendar.CHINA:
            return []
        zone = ZoneInfo(self.zone)
        first, last = since.astimezone(zone).year, until.astimezone(zone).year
        return [year for year in range(first, last + 1) if not knows(year)]


def instant(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """A wall time as UTC: one that a clock change skips moves forward by the gap, of one that comes
    twice the first is meant."""
    return datetime.combine(day, wall, tzinfo=zone).replace(fold=0).astimezone(UTC)


@lru_cache(maxsize=64)
def knows(year: int) -> bool:
    """Whether the library has that year's holidays."""
    try:
        chinese_calendar.is_workday(date(year, 12, 31))
    except NotImplementedError:
        return False
    return True


def _is_workday(day: date) -> bool:
    if knows(day.year):
        return bool(chinese_calendar.is_workday(day))
    return day.weekday() < 5 and (day.month, day.day) not in _NAMED_BY_LAW

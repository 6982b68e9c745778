"""Sending hours: wall time, weekdays, and the holidays and working weekends of China."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from campaigns.mailer.sending_hours import Calendar, Hours, knows

SHANGHAI = "Asia/Shanghai"
WEEK = frozenset(range(5))
OFFICE = Hours(time(9), time(18), WEEK, SHANGHAI)
CHINA = Hours(time(9), time(18), frozenset(), SHANGHAI, Calendar.CHINA)


def at(text: str, zone: str = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-24 08:59:59", "2026-11-24 09:00"),
        ("2026-11-24 09:00", "2026-11-24 09:00"),
        ("2026-11-24 17:59:59", "2026-11-24 09:00"),
        ("2026-11-24 18:00", "2026-11-25 09:00"),
        ("2026-11-27 18:00", "2026-11-30 09:00"),  # over the weekend
    ],
)
def test_the_interval_is_the_one_that_is_open_or_the_next(now: str, opens: str) -> None:
    found = OFFICE.current(at(now))
    assert found is not None
    assert found[0] == at(opens)
    assert found[1] == at(opens).replace(hour=10)  # 18:00 in Shanghai


def test_hours_past_midnight_belong_to_the_day_they_begin() -> None:
    night = Hours(time(22), time(2), frozenset({4}), SHANGHAI)
    assert night.current(at("2026-11-28 01:00")) == (at("2026-11-27 22:00"), at("2026-11-28 02:00"))
    later = night.current(at("2026-11-28 03:00"))
    assert later is not None
    assert later[0] == at("2026-12-04 22:00")


def test_equal_hours_are_the_whole_day() -> None:
    whole = Hours(time(0), time(0), frozenset({5, 6}), SHANGHAI)
    assert whole.current(at("2026-11-28 12:00")) == (at("2026-11-28"), at("2026-11-29"))


@pytest.mark.parametrize(
    ("day", "is_open"),
    [
        (date(2026, 10, 1), False),  # the national holiday, a Thursday
        (date(2026, 10, 10), True),  # a Saturday that is worked for it
        (date(2026, 9, 20), True),  # a Sunday that is worked
        (date(2026, 2, 17), False),  # new year's day of the lunar calendar
        (date(2026, 11, 28), False),  # an ordinary Saturday
        (date(2026, 11, 24), True),
    ],
)
def test_the_state_councils_calendar_says_which_days_are_worked(day: date, is_open: bool) -> None:
    assert CHINA.is_open_on(day) is is_open


def test_a_year_that_is_not_known_has_ordinary_weeks_and_says_so() -> None:
    year = next(year for year in range(2027, 2100) if not knows(year))
    for month in range(1, 13):
        day = date(year, month, 10)
        assert CHINA.is_open_on(day) is (day.weekday() < 5)
    for day in (date(year, 1, 1), date(year, 5, 1), date(year, 5, 2), date(year, 10, 3)):
        assert not CHINA.is_open_on(day), "the law names the day"
    assert CHINA.unknown_years(at(f"{year - 1}-12-30"), at(f"{year}-01-02")) == [year]
    assert CHINA.unknown_years(at("2026-11-24"), at("2026-12-30")) == []
    assert OFFICE.unknown_years(at(f"{year}-01-01"), at(f"{year}-02-01")) == []


def test_hours_are_wall_time_on_both_sides_of_a_clock_change() -> None:
    berlin = Hours(time(9), time(17), frozenset(range(7)), "Europe/Berlin")
    days = list(islice(berlin.intervals(at("2026-03-28 00:00", "Europe/Berlin")), 2))
    assert [opens.hour for opens, _ in days] == [8, 7]
    assert all((closes - opens).total_seconds() == 8 * 3600 for opens, closes in days)


def test_an_opening_that_a_clock_change_skips_moves_forward() -> None:
    early = Hours(time(2, 30), time(6), frozenset(range(7)), "Europe/Berlin")
    found = early.current(at("2026-03-29 00:00", "Europe/Berlin"))
    assert found is not None
    assert found[0].astimezone(ZoneInfo("Europe/Berlin")).strftime("%H:%M") == "03:30"


def test_without_any_day_they_never_open() -> None:
    assert Hours(time(9), time(18), frozenset(), SHANGHAI).current(at("2026-11-24 10:00")) is None

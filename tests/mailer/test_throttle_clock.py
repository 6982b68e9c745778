"""Days that end at a midnight, and clocks that jump: neither frees quota that is not free (F14)."""

from __future__ import annotations

import pytest

from campaigns.mailer.throttle import MemoryLedger, Window, WindowKind
from campaigns.mailer.throttle_clock import LedgerClock
from tests.mailer.ledger_clock import SHANGHAI, Clock, a_ledger, at

FIVE_A_SECOND = [Window(WindowKind.SECOND, 5)]

# --- the calendar day


def test_a_calendar_day_ends_at_midnight_of_its_zone() -> None:
    clock = Clock(at("2026-11-24 23:50"))
    ledger = a_ledger(clock)
    windows = [Window(WindowKind.DAY, 3, SHANGHAI)]
    ids = ledger.acquire("r", windows, "c", 5).ids
    ledger.settle("r", ids[:2])
    refused = ledger.acquire("r", windows, "c", 1)
    assert refused.ids == []
    assert refused.wait == pytest.approx(600, abs=0.01)
    clock.true += refused.wait + 0.01
    # The one still in flight may be counted by the relay on the new day.
    assert len(ledger.acquire("r", windows, "c", 5).ids) == 2


def test_a_rolling_day_has_no_midnight() -> None:
    clock = Clock(at("2026-11-24 23:50"))
    ledger = a_ledger(clock)
    windows = [Window(WindowKind.DAY, 3)]
    ledger.settle("r", ledger.acquire("r", windows, "c", 5).ids)
    clock.true += 86_399
    assert ledger.acquire("r", windows, "c", 1).ids == []
    clock.true += 2
    assert len(ledger.acquire("r", windows, "c", 5).ids) == 3


@pytest.mark.parametrize("skew", [3600.0, -3600.0, 86_400.0, -86_400.0])
def test_f14_a_wrong_clock_frees_no_calendar_day(skew: float) -> None:
    clock = Clock(at("2026-11-24 12:00"))
    ledger = a_ledger(clock)
    windows = [Window(WindowKind.DAY, 3, SHANGHAI)]
    ledger.settle("r", ledger.acquire("r", windows, "c", 5).ids)
    for now in (skew, 0.0, skew):
        clock.skew = now
        assert ledger.acquire("r", windows, "c", 1).ids == []
    clock.skew = 0.0
    clock.true = at("2026-11-25 00:01")
    assert len(ledger.acquire("r", windows, "c", 5).ids) == 3


def test_f14_a_clock_that_runs_ahead_past_midnight_does_not_free_the_morning() -> None:
    clock = Clock(at("2026-11-24 00:10"))
    ledger = a_ledger(clock)
    windows = [Window(WindowKind.DAY, 3, SHANGHAI)]
    ledger.settle("r", ledger.acquire("r", windows, "c", 5).ids)
    clock.true = at("2026-11-24 12:00")
    clock.skew = 12.1 * 3600
    assert ledger.acquire("r", windows, "c", 1).ids == []


def test_a_clock_that_was_an_hour_late_does_not_hide_the_new_days_messages() -> None:
    clock = Clock(at("2026-11-24 23:00"))
    clock.skew = -3600.0
    ledger = a_ledger(clock)
    windows = [Window(WindowKind.DAY, 3, SHANGHAI)]
    clock.skew = 0.0  # NTP mends it; the ledger's own count stays an hour behind
    clock.true = at("2026-11-25 00:30")
    ledger.settle("r", ledger.acquire("r", windows, "c", 3).ids)
    clock.true = at("2026-11-25 01:30")
    assert ledger.acquire("r", windows, "c", 3).ids == []


# --- clocks that jump


def test_f14_ledger_time_never_goes_back_and_a_jump_counts_as_the_gap() -> None:
    clock = Clock()
    counting = LedgerClock(clock.wall, max_gap=10)
    start = counting.now().ledger
    clock.true += 5
    assert counting.now().ledger - start == 5_000_000
    clock.skew = 3600
    assert counting.now().ledger - start == 15_000_000
    clock.skew = 0
    assert counting.now().ledger - start == 15_000_000
    clock.true += 1
    assert counting.now().ledger - start == 16_000_000


@pytest.mark.parametrize("skew", [3600.0, -3600.0])
def test_f14_with_a_monotonic_clock_a_jump_frees_not_even_a_second(skew: float) -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    ledger.settle("r", ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids)
    clock.skew = skew
    clock.true += 0.5
    assert ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids == []
    clock.true += 0.6
    assert len(ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids) == 5


def test_f14_without_one_a_jump_of_an_hour_frees_no_hour() -> None:
    clock = Clock()
    ledger = MemoryLedger(clock.wall, max_gap=60)
    windows = [Window(WindowKind.HOUR, 5)]
    ledger.settle("r", ledger.acquire("r", windows, "c", 5).ids)
    clock.skew = 3601
    assert ledger.acquire("r", windows, "c", 1).ids == []
    clock.skew = -3601
    ledger.tick()
    for _ in range(58):
        clock.true += 60
        ledger.tick()
    assert ledger.acquire("r", windows, "c", 1).ids == []
    clock.true += 61
    ledger.tick()
    clock.true += 1
    assert len(ledger.acquire("r", windows, "c", 9).ids) == 5


def test_a_gap_must_be_positive() -> None:
    with pytest.raises(ValueError, match="max_gap"):
        LedgerClock(Clock().wall, max_gap=0)

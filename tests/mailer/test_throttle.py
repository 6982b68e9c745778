"""The quota ledger: never one message over in any window, and hardly one below (invariant 3, F14)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.mailer.throttle import (
    LONGEST_WAIT,
    Ledger,
    MemoryLedger,
    Window,
    WindowKind,
)
from campaigns.mailer.throttle_clock import LedgerClock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
SHANGHAI = "Asia/Shanghai"
FIVE_A_SECOND = [Window(WindowKind.SECOND, 5)]


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


# --- by example


def test_it_grants_up_to_the_amount_and_says_when_to_come_again() -> None:
    clock = Clock()
    ledger: Ledger = a_ledger(clock)
    first = ledger.acquire("r", FIVE_A_SECOND, "c", 3)
    second = ledger.acquire("r", FIVE_A_SECOND, "c", 3)
    assert (len(first.ids), len(second.ids)) == (3, 2)
    assert len({*first.ids, *second.ids}) == 5
    clock.true += 0.25
    ledger.settle("r", first.ids)
    clock.true += 0.5
    refused = ledger.acquire("r", FIVE_A_SECOND, "c", 3)
    assert refused.ids == []
    assert refused.wait == pytest.approx(0.5, abs=1e-5)
    clock.true += refused.wait
    assert len(ledger.acquire("r", FIVE_A_SECOND, "c", 9).ids) == 3


def test_it_waits_for_the_oldest_reply_and_no_longer() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    ids = ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids
    for number in range(3):
        clock.true += 0.1
        ledger.settle("r", [ids[number]])
    assert ledger.acquire("r", FIVE_A_SECOND, "c", 1).wait == pytest.approx(0.8, abs=1e-5)
    ledger.settle("r", ids[3:])
    # Two places less than before: the second reply has to grow old as well.
    four = [Window(WindowKind.SECOND, 4)]
    assert ledger.acquire("r", four, "c", 1).wait == pytest.approx(0.9, abs=1e-5)


def test_a_place_is_free_a_second_after_the_reply_and_not_a_microsecond_before() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    ledger.settle("r", ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids)
    clock.now += 999_999
    assert ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids == []
    clock.now += 2
    assert len(ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids) == 5


def test_a_message_counts_while_its_reply_is_awaited_however_long() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    ids = ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids
    clock.true += 600
    assert ledger.acquire("r", FIVE_A_SECOND, "c", 1).ids == []
    ledger.settle("r", ids)
    clock.true += 0.999
    assert ledger.acquire("r", FIVE_A_SECOND, "c", 1).ids == []
    clock.true += 0.002
    assert len(ledger.acquire("r", FIVE_A_SECOND, "c", 9).ids) == 5


def test_every_window_holds_at_once() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    windows = [Window(WindowKind.SECOND, 5), Window(WindowKind.MINUTE, 8)]
    ledger.settle("r", ledger.acquire("r", windows, "c", 9).ids)
    clock.true += 2
    ledger.settle("r", ledger.acquire("r", windows, "c", 9).ids)
    assert ledger.usage("r", windows) == [3, 8]
    clock.true += 2
    refused = ledger.acquire("r", windows, "c", 9)
    assert refused.ids == []
    assert refused.wait == pytest.approx(56, abs=1e-4)


def test_released_permits_are_free_at_once_and_groups_are_apart() -> None:
    ledger = a_ledger(Clock())
    ids = ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids
    assert len(ledger.acquire("other", FIVE_A_SECOND, "c", 5).ids) == 5
    ledger.release("r", [*ids[:2], "unknown/1"])
    assert ledger.usage("r", FIVE_A_SECOND) == [3]
    assert len(ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids) == 2


def test_what_a_dead_claim_had_in_flight_counts_as_replied_now() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    ledger.acquire("r", FIVE_A_SECOND, "dead", 3)
    alive = ledger.acquire("r", FIVE_A_SECOND, "alive", 2).ids
    ledger.abandon("r", "dead")
    clock.true += 1.001
    assert ledger.usage("r", FIVE_A_SECOND) == [2]
    ledger.release("r", alive)
    assert ledger.usage("r", FIVE_A_SECOND) == [0]


def test_no_window_means_no_limit_and_a_zero_amount_none_at_all() -> None:
    ledger = a_ledger(Clock())
    assert len(ledger.acquire("r", [], "c", 1000).ids) == 1000
    nothing = ledger.acquire("r", [Window(WindowKind.DAY, 0)], "c", 1)
    assert (nothing.ids, nothing.wait) == ([], LONGEST_WAIT)
    assert ledger.acquire("r", [], "c", 0).ids == []


@pytest.mark.parametrize(
    ("kind", "amount", "zone"),
    [("second", -1, None), ("hour", 1, SHANGHAI), ("day", 1, "Mars/Olympus"), ("day", 1, "../x")],
)
def test_it_rejects_windows_that_mean_nothing(kind: str, amount: int, zone: str | None) -> None:
    with pytest.raises(ValueError, match=r"amount|zone"):
        Window(WindowKind(kind), amount, zone)


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


# --- rebuilding


def test_a_rebuilt_ledger_remembers_attempts_and_open_claims() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    ledger.acquire("r", FIVE_A_SECOND, "lost", 5)
    windows = [Window(WindowKind.MINUTE, 10)]
    now = clock.true
    history = [(now - 90, now - 70), (now - 31, now - 30), (now - 1, None), (now, now + 500)]
    ledger.rebuild("r", history, open_claims=["a", "b"])
    assert ledger.usage("r", windows) == [5]
    clock.true += 30.1
    assert ledger.usage("r", windows) == [4]
    clock.true += 30.1
    assert ledger.usage("r", windows) == [
        2
    ]  # the open ones stay until somebody says what they became
    ledger.abandon("r", "a")
    ledger.settle("r", ["b/17"])
    clock.true += 60.1
    assert ledger.usage("r", windows) == [0]


def test_a_settled_id_from_before_the_rebuild_is_counted_once() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    old = ledger.acquire("r", FIVE_A_SECOND, "c", 1).ids
    ledger.rebuild("r", [], open_claims=["c"])
    ledger.settle("r", old)
    assert ledger.usage("r", FIVE_A_SECOND) == [1]


def test_old_replies_are_forgotten() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    for _ in range(2000):
        ledger.settle("r", ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids)
        clock.true += 1.001
    assert len(ledger._accounts["r"].ended) < 200


# --- against an oracle that knows every message

KINDS = {"second": 1, "minute": 60, "quarter_hour": 900}
STEPS = st.one_of(
    st.tuples(st.just("pass"), st.sampled_from([0.0, 0.000001, 0.3, 0.999999, 1.0, 59.0, 400.0])),
    st.tuples(st.just("acquire"), st.integers(0, 6)),
    st.tuples(st.just("settle"), st.integers(0, 4)),
    st.tuples(st.just("release"), st.integers(0, 2)),
    st.tuples(st.just("abandon"), st.integers(0, 2)),
    st.tuples(st.just("skew"), st.sampled_from([0.0, 3600.0, -3600.0, 1e7])),
)


class Oracle:
    """Every message's [permit, reply] in true time, counted the slow way."""

    def __init__(self) -> None:
        self.open: dict[str, int] = {}
        self.closed: list[tuple[int, int]] = []

    def occupied(self, seconds: int, now: int) -> int:
        return len(self.open) + sum(end + seconds * 1_000_000 > now for _, end in self.closed)

    def on_day(self, date: str, now: int) -> int:
        spans = [*self.closed, *((start, now) for start in self.open.values())]
        return sum(day(start) <= date <= day(end) for start, end in spans)


def day(moment: int) -> str:
    return datetime.fromtimestamp(moment // 1_000_000, ZoneInfo(SHANGHAI)).date().isoformat()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(STEPS, max_size=60),
    st.dictionaries(st.sampled_from(sorted(KINDS)), st.integers(0, 9), max_size=3),
    st.integers(1, 12),
)
def test_no_window_is_ever_exceeded(
    steps: list[tuple[str, float]], amounts: dict[str, int], daily: int
) -> None:
    clock = Clock(at("2026-11-24 23:55"))
    ledger = a_ledger(clock)
    windows = [Window(WindowKind(kind), amount) for kind, amount in amounts.items()]
    windows.append(Window(WindowKind.DAY, daily, SHANGHAI))
    oracle = Oracle()
    for name, value in steps:
        act(name, value, clock, ledger, windows, oracle)
        for kind, amount in amounts.items():
            assert oracle.occupied(KINDS[kind], clock.now) <= amount
        assert oracle.on_day(day(clock.now), clock.now) <= daily


def act(
    name: str,
    value: float,
    clock: Clock,
    ledger: MemoryLedger,
    windows: list[Window],
    oracle: Oracle,
) -> None:
    if name == "pass":
        clock.true += value
    elif name == "skew":
        clock.skew = value
    elif name == "acquire":
        permit = ledger.acquire("r", windows, f"claim{int(value) % 3}", int(value))
        assert 0 <= permit.wait <= LONGEST_WAIT
        oracle.open |= dict.fromkeys(permit.ids, clock.now)
    elif name == "abandon":
        ledger.abandon("r", f"claim{int(value)}")
        close(oracle, [i for i in oracle.open if i.startswith(f"claim{int(value)}/")], clock.now)
    else:
        ids = list(oracle.open)[: int(value)]
        getattr(ledger, name)("r", ids)
        if name == "settle":
            close(oracle, ids, clock.now)
        else:
            for permit_id in ids:
                del oracle.open[permit_id]


def close(oracle: Oracle, ids: list[str], now: int) -> None:
    oracle.closed += [(oracle.open.pop(permit_id), now) for permit_id in ids]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.sampled_from(["second", "minute"]), st.randoms(use_true_random=False))
def test_it_uses_97_percent_of_what_the_limit_allows(amount: int, kind: str, rng: Random) -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    windows = [Window(WindowKind(kind), amount), Window(WindowKind.DAY, 10**6)]
    sent = asked = 0
    until = clock.true + 50 * KINDS[kind]
    while clock.true < until:
        permit = ledger.acquire("r", windows, "c", rng.randint(1, 7))
        asked += 1
        ledger.settle("r", permit.ids)
        sent += len(permit.ids)
        clock.true += permit.wait if not permit.ids else 0.0
    assert 0.97 * 50 * amount <= sent <= 51 * amount
    assert asked <= 2 * sent + 52  # the waits it names are worth waiting for


def test_threads_together_stay_within_the_limit() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    windows = [Window(WindowKind.MINUTE, 100)]
    taken: list[str] = []

    def work(name: str) -> None:
        for _ in range(50):
            taken.extend(ledger.acquire("r", windows, name, 1).ids)

    threads = [threading.Thread(target=work, args=(f"c{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 100

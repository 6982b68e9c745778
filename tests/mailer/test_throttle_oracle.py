"""The ledger against an oracle that knows every message: never one over, and hardly one below."""

from __future__ import annotations

from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.mailer.throttle import LONGEST_WAIT, MemoryLedger, Window, WindowKind
from tests.mailer.ledger_clock import SHANGHAI, Clock, a_ledger, at

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

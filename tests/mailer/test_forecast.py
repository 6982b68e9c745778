"""The forecast against a simulation of senders on an injected clock with the real ledger: within 10 %."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from campaigns.mailer.forecast import Carrier, Destination, Queue, forecast
from campaigns.mailer.sending_hours import Calendar, Hours
from campaigns.mailer.throttle import MemoryLedger, Window, WindowKind
from campaigns.mailer.warm_up import Ramp

SHANGHAI = "Asia/Shanghai"
NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)  # a Tuesday, 10:00 in Shanghai
OFFICE = Hours(time(9), time(18), frozenset(range(5)), SHANGHAI)
S, M, H, D = WindowKind.SECOND, WindowKind.MINUTE, WindowKind.HOUR, WindowKind.DAY


@dataclass
class Case:
    """`waiting`: campaign → [(relay, domain limit or None, messages)]; payslips are tier 0; `now`: it begins."""

    waiting: dict[str, list[tuple[str, str | None, int]]]
    relays: dict[str, Carrier]
    domains: dict[str, Destination] = field(default_factory=dict)
    hours: dict[str, Hours] = field(default_factory=dict)
    tiers: dict[str, int] = field(default_factory=dict)
    now: datetime = NOW

    @property
    def foretold(self) -> float:
        queues = {
            name: Queue(
                {(relay, domain): number for relay, domain, number in lanes},
                self.tiers.get(name, 1),
                self.hours.get(name),
            )
            for name, lanes in self.waiting.items()
        }
        end = forecast("mine", queues, self.relays, self.domains, now=self.now)
        assert end is not None
        return (end - self.now).total_seconds()


class Simulation:
    """One sender a connection: a permit of relay and domain, the message's time, then the reply."""

    def __init__(self, case: Case) -> None:
        self.case, self.now = case, case.now.timestamp()
        self.ledger = MemoryLedger(lambda: self.now, monotonic=lambda: self.now)
        for name, relay in case.relays.items():
            past = [self.now - ago for ago, many in relay.history for _ in range(many)]
            self.ledger.rebuild(name, [(moment, moment) for moment in past])
        self.lanes = {
            (name, relay, domain): number
            for name, lanes in case.waiting.items()
            for relay, domain, number in lanes
        }
        self.turns = deque(self.lanes)

    def run(self) -> float:
        events = [
            (self.now + self.case.relays[relay].closed_for, number, relay)
            for number, relay in enumerate(
                name for name, one in self.case.relays.items() for _ in range(one.connections)
            )
        ]
        heapq.heapify(events)
        numbers = itertools.count(len(events))
        busy: list[tuple[float, str, str, str | None, str | None, str]] = []
        last = self.now
        while any(many for (name, *_), many in self.lanes.items() if name == "mine") or busy:
            if busy and (not events or busy[0][0] <= events[0][0]):
                self.now, relay, permit, domain, second, name = heapq.heappop(busy)
                self.ledger.settle(relay, [permit])
                if domain and second:
                    self.ledger.settle(domain, [second])
                last = self.now if name == "mine" else last
                # A clock never stands still between a reply and the next message.
                heapq.heappush(events, (self.now + 1e-5, next(numbers), relay))
                continue
            self.now, _, relay = heapq.heappop(events)
            found = self._begin(relay)
            if isinstance(found, float):
                heapq.heappush(events, (self.now + max(found, 0.01), next(numbers), relay))
            elif found is not None:
                heapq.heappush(busy, (self.now + self.case.relays[relay].seconds_each, *found))
        return last - self.case.now.timestamp()

    def _begin(self, relay: str) -> tuple[str, str, str | None, str | None, str] | float | None:
        carrier = self.case.relays[relay]
        lanes = [lane for lane in self.turns if lane[1] == relay and self.lanes[lane]]
        if not lanes:
            return None
        opened = [lane for lane in lanes if self._opens(lane[0]) <= self.now]
        if not opened:
            return min(self._opens(lane[0]) for lane in lanes) - self.now
        first = min(self.case.tiers.get(lane[0], 1) for lane in opened)
        permit = self.ledger.acquire(relay, self._windows(carrier), "c", 1)
        if not permit.ids:
            return permit.wait
        wait = 3600.0
        for lane in [lane for lane in opened if self.case.tiers.get(lane[0], 1) == first]:
            name, _, domain = lane
            second = None
            if domain:
                asked = self.ledger.acquire(domain, self.case.domains[domain].windows, "c", 1)
                if not asked.ids:
                    wait = min(wait, asked.wait)
                    continue
                second = asked.ids[0]
            self.lanes[lane] -= 1
            self.turns.remove(lane)
            self.turns.append(lane)
            return relay, permit.ids[0], domain, second, name
        self.ledger.release(relay, permit.ids)
        return wait

    def _windows(self, carrier: Carrier) -> list[Window]:
        windows = list(carrier.windows)
        if carrier.ramp:
            today = datetime.fromtimestamp(self.now, UTC) + timedelta(hours=8)
            amount = carrier.ramp.amount_on(today.date())
            windows += [Window(D, amount, SHANGHAI)] if amount is not None else []
        return windows

    def _opens(self, name: str) -> float:
        hours = self.case.hours.get(name)
        if hours is None:
            return self.now
        interval = hours.current(datetime.fromtimestamp(self.now, UTC))
        assert interval is not None
        return max(self.now, interval[0].timestamp())


def one(number: int, **fields: object) -> Case:
    return Case({"mine": [("r", None, number)]}, {"r": Carrier(**fields)})  # type: ignore[arg-type]


CASES = {
    "pace alone": one(3000, connections=3, seconds_each=0.3),
    "a second's limit": one(2500, windows=(Window(S, 10),), connections=5, seconds_each=0.05),
    "all windows at once": one(
        900, windows=(Window(M, 8), Window(WindowKind.QUARTER_HOUR, 60), Window(H, 150))
    ),
    "a slow relay beside its hour": one(700, windows=(Window(H, 200),), seconds_each=9.0),
    "a calendar day": one(2500, windows=(Window(M, 60), Window(D, 1000, SHANGHAI))),
    "what the windows count already": one(
        400, windows=(Window(H, 300),), history=((600.0, 120), (2400.0, 150))
    ),
    "a warm-up": one(
        900,
        windows=(Window(M, 30),),
        ramp=Ramp(date(2026, 11, 23), 50, Decimal("1.8"), 1000),
        ramp_zone=SHANGHAI,
    ),
    "sending hours": Case(
        {"mine": [("r", None, 1500)]}, {"r": Carrier((Window(M, 2),))}, hours={"mine": OFFICE}
    ),
    "a statutory holiday and the Saturday worked for it": Case(
        {"mine": [("r", None, 900)]},
        {"r": Carrier((Window(M, 1),))},
        hours={"mine": Hours(time(9), time(12), frozenset(), SHANGHAI, Calendar.CHINA)},
        now=datetime(2026, 9, 29, 2, tzinfo=UTC),
    ),
    "a parked relay beside one that goes on": Case(
        {"mine": [("a", None, 100), ("b", None, 300)]},
        {"a": Carrier((Window(M, 10),), closed_for=2400.0), "b": Carrier((Window(M, 10),))},
    ),
    "a limited domain": Case(
        {"mine": [("r", "qq", 300), ("r", None, 900)]},
        {"r": Carrier((Window(M, 60),))},
        {"qq": Destination((Window(M, 10), Window(H, 240)))},
    ),
    "few connections to a domain": Case(
        {"mine": [("r", "qq", 600), ("r", None, 300)]},
        {"r": Carrier(connections=6, seconds_each=0.5)},
        {"qq": Destination((Window(WindowKind.IN_FLIGHT, 2),))},
    ),
    "two relays share a domain": Case(
        {"mine": [("a", "qq", 200), ("b", "qq", 100), ("a", None, 300), ("b", None, 150)]},
        {"a": Carrier((Window(M, 30),)), "b": Carrier((Window(M, 10), Window(H, 120)))},
        {"qq": Destination((Window(M, 12),))},
    ),
    "payslips in front and a newsletter beside": Case(
        {"pay": [("r", None, 300)], "other": [("r", None, 400)], "mine": [("r", None, 400)]},
        {"r": Carrier((Window(M, 20),))},
        tiers={"pay": 0},
    ),
    "everything": Case(
        {"pay": [("a", None, 150)], "mine": [("a", "qq", 250), ("a", None, 400), ("b", None, 300)]},
        {
            "a": Carrier((Window(M, 6), Window(H, 200)), history=((1200.0, 90),)),
            "b": Carrier((Window(M, 4), Window(D, 250, SHANGHAI)), seconds_each=2.0),
        },
        {"qq": Destination((Window(H, 60),))},
        {"mine": OFFICE},
        {"pay": 0},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_within_a_tenth_of_what_the_ledger_lets_through(name: str) -> None:
    case = CASES[name]
    assert case.foretold == pytest.approx(Simulation(case).run(), rel=0.1)


NEVER = Hours(time(9), time(18), frozenset(), SHANGHAI)
ENDLESS = {
    "an amount of nothing": one(5, windows=(Window(H, 0),)),
    "hours that never open": Case(
        {"mine": [("r", None, 5)]}, {"r": Carrier()}, hours={"mine": NEVER}
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_it_does_not_say_when_there_is_no_end(name: str) -> None:
    with pytest.raises(AssertionError):
        _ = ENDLESS[name].foretold


def test_a_million_recipients_over_weeks_are_foretold_at_once() -> None:
    case = one(1_000_000, windows=(Window(S, 5), Window(D, 40_000, SHANGHAI)), connections=4)
    case.hours["mine"] = Hours(time(9), time(18), frozenset(), SHANGHAI, Calendar.CHINA)
    assert 24 * 86400 < case.foretold < 45 * 86400

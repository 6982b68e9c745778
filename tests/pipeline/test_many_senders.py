"""Eight processes on two relays for ten minutes of an injected clock, against one real Redis: no window
is ever over, and at least 97 % of what the tightest one allows is used."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
import redis as redis_client

from campaigns.mailer.throttle import MICROSECONDS, Window, WindowKind
from campaigns.pipeline.redis_ledger import RedisLedger
from tests.servers.redis import Redis

PROCESSES = 8
BEGAN = 1_800_000_000.0
TEN_MINUTES = 600.0
RELAYS = {
    "a": [Window(WindowKind.SECOND, 4), Window(WindowKind.MINUTE, 100)],
    "b": [Window(WindowKind.MINUTE, 40), Window(WindowKind.HOUR, 250)],
}
DOMAIN = "qq"
OF_DOMAIN = [Window(WindowKind.MINUTE, 30), Window(WindowKind.IN_FLIGHT, 3)]
# Messages that ten minutes allow: ten minutes of the tightest window, or a whole longer one.
ALLOWED = {"a": 1000, "b": 250, DOMAIN: 300}


@dataclass
class Sent:
    """Seconds of permit and final reply."""

    group: str
    begun: float
    ended: float


class Process:
    """One sender: it asks, a message takes some milliseconds, it settles. Every second one is to a
    limited domain; where that has no room, the other kind goes."""

    def __init__(self, number: int, url: str, clock: Any) -> None:
        self.relay = "ab"[number % 2]
        self.claim = str(number)
        self.clock = clock
        self.dice = random.Random(number)
        self.ledger = RedisLedger(
            redis_client.Redis.from_url(url),
            lambda _group: ([], []),
            block=20,
            history=90_000,
            clock=lambda: clock.value,
        )
        self.flying: tuple[float, list[tuple[str, str, float]]] | None = None
        self.free: list[str] = []
        self.asks_at = 0.0
        self.sent: list[Sent] = []

    def step(self) -> float:
        """Does what is due now; when there is more to do."""
        now = self.clock.value
        if self.flying is not None and self.flying[0] <= now:
            for group, permit, begun in self.flying[1]:
                self.ledger.settle(group, [permit])
                self.sent.append(Sent(group, begun, now))
            self.flying = None
        if self.flying is None and now >= self.asks_at:
            self._begin(now)
        return self.flying[0] if self.flying else self.asks_at

    def _begin(self, now: float) -> None:
        if not self.free:
            # A second's limit wants each permit asked for by itself.
            want = 1 if self.relay == "a" else 20
            permit = self.ledger.acquire(self.relay, RELAYS[self.relay], self.claim, want)
            if not permit.ids:
                self.asks_at = now + max(permit.wait, 0.001)
                return
            self.free = permit.ids
        holds = [(self.relay, self.free.pop(0), now)]
        if self.dice.random() < 0.5:
            second = self.ledger.acquire(DOMAIN, OF_DOMAIN, self.claim, 1)
            holds += [(DOMAIN, one, now) for one in second.ids]
        self.flying = (now + self.dice.uniform(0.002, 0.02), holds)


def run(number: int, url: str, clock: Any, nexts: Any, barrier: Barrier, out: Any) -> None:
    """In step with the others: all act at one moment, then the clock goes to the next one."""
    process = Process(number, url, clock)
    while True:
        barrier.wait()
        if clock.value > BEGAN + TEN_MINUTES:
            break
        nexts[number] = process.step()
        barrier.wait()
    out.put(process.sent)


@pytest.fixture
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Sent]]:
    context = multiprocessing.get_context("spawn")
    with Redis(tmp_path_factory.mktemp("senders")) as server:
        clock = context.Value("d", BEGAN, lock=False)
        nexts = context.Array("d", PROCESSES, lock=False)
        barrier, out = context.Barrier(PROCESSES + 1), context.Queue()
        args = (server.url, clock, nexts, barrier, out)
        processes = [
            context.Process(target=run, args=(number, *args)) for number in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        while clock.value <= BEGAN + TEN_MINUTES:
            barrier.wait(30)
            barrier.wait(30)
            clock.value = max(min(nexts), clock.value + 0.000_01)
        barrier.wait(30)
        yield [one for _ in processes for one in out.get(timeout=10)]
        for process in processes:
            process.join(10)


def most_at_once(sent: list[Sent], length: float) -> int:
    """Messages that occupy a window at once: from the permit to one length after the reply."""
    edges = sorted([(one.begun, 1) for one in sent] + [(one.ended + length, -1) for one in sent])
    now = most = 0
    for _moment, step in edges:
        now += step
        most = max(most, now)
    return most


def test_no_window_is_ever_over_and_hardly_anything_is_left_unused(sent: list[Sent]) -> None:
    for group, windows in {**RELAYS, DOMAIN: OF_DOMAIN}.items():
        mine = [one for one in sent if one.group == group]
        for window in windows:
            # What ends in the very microsecond in which another begins is not beside it.
            length = window.length / MICROSECONDS - 1e-6
            assert most_at_once(mine, length) <= window.amount, (group, window)
        assert len(mine) >= 0.97 * ALLOWED[group], group
    pairs = {(one.begun, one.ended) for one in sent if one.group == DOMAIN}
    assert pairs <= {(one.begun, one.ended) for one in sent if one.group in RELAYS}

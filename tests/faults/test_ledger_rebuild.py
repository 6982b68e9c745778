"""F4: the quota ledger is rebuilt while claims open and close around it; and while Redis is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_client

from campaigns.mailer.throttle import Window, WindowKind
from campaigns.pipeline.redis_ledger import RedisLedger
from campaigns.pipeline.steady_ledger import LedgerAway, SteadyLedger
from tests.servers.redis import Redis

GROUP = "smtp.example.com/hr"
HOUR = Window(WindowKind.HOUR, 40)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    with Redis(tmp_path) as running:
        yield running


class Book:
    """What the database says about open claims, each time that it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    def __call__(self, _group: str) -> tuple[list[tuple[str, float]], list[str]]:
        return [], self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def a_ledger(server: Redis, book: Book) -> RedisLedger:
    return RedisLedger(redis_client.Redis.from_url(server.url), book, block=20, history=93_600)


def test_a_claim_that_closes_during_a_rebuild_leaves_nothing_behind(server: Redis) -> None:
    ledger = a_ledger(server, Book(["1", "2", "3"], ["1"]))
    assert len(ledger.acquire(GROUP, [HOUR], "1", 40).ids) == 39, "one may be in flight"


def test_claims_that_are_open_count_with_their_block_until_they_ask(server: Redis) -> None:
    ledger = a_ledger(server, Book(["1", "2", "3"]))
    permit = ledger.acquire(GROUP, [HOUR], "1", 20)
    assert permit.ids == []
    assert permit.wait <= 10, "what is in flight may come back unused"
    assert len(ledger.acquire(GROUP, [HOUR], "2", 20).ids) == 18
    assert ledger.usage(GROUP, [HOUR]) == [1 + 1 + 20 + 18]


def test_a_permit_that_nobody_can_still_hold_counts_as_used(server: Redis) -> None:
    ledger = a_ledger(server, Book([]))
    ids = ledger.acquire(GROUP, [HOUR], "probe7", 1).ids
    client = redis_client.Redis.from_url(server.url)
    (key,) = client.keys("*inflight")
    client.zincrby(key, -7300, ids[0])
    ledger.acquire(GROUP, [HOUR], "1", 1)
    assert client.zrange(key, 0, -1) == [b"1:2"]
    assert ledger.usage(GROUP, [HOUR]) == [2]


# Redis away ---------------------------------------------------------------------------------------


def test_without_redis_there_is_no_permit_and_nothing_is_forgotten(server: Redis) -> None:
    steady = SteadyLedger(a_ledger(server, Book([])))
    ids = steady.acquire(GROUP, [HOUR], "1", 3).ids
    server.stop()
    assert steady.acquire(GROUP, [HOUR], "1", 1).ids == []
    steady.settle(GROUP, ids[:1])
    steady.release(GROUP, ids[1:])
    with pytest.raises(LedgerAway):
        steady.close(GROUP, "1")


def test_what_could_not_be_settled_counts_when_the_claim_ends(server: Redis) -> None:
    client = redis_client.Redis.from_url(server.url)
    steady = SteadyLedger(a_ledger(server, Book([])))
    first = steady.acquire(GROUP, [HOUR], "1", 3).ids
    second = steady.acquire(GROUP, [HOUR], "2", 3).ids
    client.config_set("maxmemory", "1")  # every write is refused: an error as good as any
    steady.settle(GROUP, first[:1])
    client.config_set("maxmemory", "0")
    steady.close(GROUP, "1")
    steady.close(GROUP, "2")
    assert steady.usage(GROUP, [HOUR]) == [3], "all of claim 1, nothing of claim 2"
    assert second


def test_while_redis_loads_its_data_nothing_is_sent(server: Redis) -> None:
    class Loading(RedisLedger):
        def acquire(self, *_rest: object, **_named: object) -> object:  # type: ignore[override]
            raise redis_client.exceptions.BusyLoadingError

    steady = SteadyLedger(
        Loading(redis_client.Redis.from_url(server.url), Book([]), block=1, history=1)
    )
    assert steady.acquire(GROUP, [HOUR], "1", 1).ids == []

"""The quota ledger in Redis and in the process: never one over in any window, whatever is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis as redis_client

from accounts.models import Relay, Team
from campaigns.mailer.throttle import Window, WindowKind
from campaigns.models import Attempt, Campaign, Claim, Delivery
from campaigns.pipeline.ledger import EmbeddedLedger, redis_ledger
from campaigns.pipeline.redis_ledger import RedisLedger
from tests.servers.redis import Redis

GROUP = "smtp.example.com/hr"
SECOND = Window(WindowKind.SECOND, 5)
MINUTE = Window(WindowKind.MINUTE, 8)
DAY = Window(WindowKind.DAY, 10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("ledger"), persistent=True) as running:
        yield running


class Clock:
    """Seconds since the epoch, moved by the test."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Book:
    """What the database would remember."""

    def __init__(self) -> None:
        self.replied: list[tuple[str, float]] = []
        self.claims: list[str] = []

    def __call__(self, group: str) -> tuple[list[tuple[str, float]], list[str]]:
        assert group == GROUP
        return self.replied, self.claims


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def ledger(server: Redis, clock: Clock, book: Book) -> RedisLedger:
    client = redis_client.Redis.from_url(server.url)
    client.flushall()
    return RedisLedger(client, book, block=3, history=90_000, clock=clock)


def take(ledger: RedisLedger, windows: list[Window], want: int = 1, claim: str = "1") -> list[str]:
    return ledger.acquire(GROUP, windows, claim, want).ids


def test_it_grants_as_many_as_the_tightest_window_holds(ledger: RedisLedger) -> None:
    assert len(take(ledger, [SECOND, MINUTE], 20)) == 5


def test_a_message_occupies_its_window_from_the_permit_to_one_length_after_its_reply(
    ledger: RedisLedger, clock: Clock
) -> None:
    ids = take(ledger, [SECOND], 5)
    clock.now += 30  # the relay is slow: all five are still in flight
    assert take(ledger, [SECOND]) == []
    ledger.settle(GROUP, ids)
    clock.now += 0.999
    assert take(ledger, [SECOND]) == []
    clock.now += 0.002
    assert len(take(ledger, [SECOND], 9)) == 5


def test_it_says_when_the_next_permit_can_be_had(ledger: RedisLedger, clock: Clock) -> None:
    first = take(ledger, [MINUTE], 7)
    ledger.settle(GROUP, first)
    clock.now += 20
    ledger.settle(GROUP, take(ledger, [MINUTE]))
    permit = ledger.acquire(GROUP, [MINUTE], "1", 1)
    assert permit.ids == []
    assert permit.wait == pytest.approx(40, abs=0.01)
    clock.now += permit.wait + 0.001
    assert len(take(ledger, [MINUTE], 20)) == 7


def test_unused_permits_come_back_at_once(ledger: RedisLedger) -> None:
    ids = take(ledger, [SECOND], 5)
    ledger.release(GROUP, ids[2:])
    assert len(take(ledger, [SECOND], 5)) == 3


def test_what_a_dead_claim_had_in_flight_counts_as_sent(ledger: RedisLedger, clock: Clock) -> None:
    take(ledger, [SECOND], 3, claim="7")
    alive = take(ledger, [SECOND], 1, claim="71")
    ledger.abandon(GROUP, "7")
    assert len(take(ledger, [SECOND], 5)) == 1
    clock.now += 1.1
    assert len(take(ledger, [SECOND], 5)) == 3, "claim 71 and the one above are still in flight"
    assert alive


def test_a_calendar_day_ends_at_midnight_of_its_zone(ledger: RedisLedger, clock: Clock) -> None:
    day = Window(WindowKind.DAY, 2, "Asia/Shanghai")
    clock.now = datetime(2026, 11, 24, 15, 30, tzinfo=UTC).timestamp()  # 23:30 in Shanghai
    ledger.settle(GROUP, take(ledger, [day], 2))
    permit = ledger.acquire(GROUP, [day], "1", 1)
    assert permit.wait == pytest.approx(1800, abs=1)
    clock.now += 1801
    assert len(take(ledger, [day], 5)) == 2


def test_a_clock_that_jumps_back_frees_nothing(ledger: RedisLedger, clock: Clock) -> None:
    ledger.settle(GROUP, take(ledger, [SECOND], 5))
    clock.now -= 3600
    assert take(ledger, [SECOND]) == []
    clock.now += 3600.5
    assert take(ledger, [SECOND]) == []


def test_a_flush_gives_no_fresh_quota(
    ledger: RedisLedger, server: Redis, clock: Clock, book: Book
) -> None:
    ledger.settle(GROUP, take(ledger, [DAY], 6))
    book.replied = [(f"attempt:{number}", clock.now - number) for number in range(6)]
    redis_client.Redis.from_url(server.url).flushall()
    assert len(take(ledger, [DAY], 20)) == 4


def test_a_restart_gives_no_fresh_quota_though_redis_kept_its_data(
    ledger: RedisLedger, server: Redis, clock: Clock, book: Book
) -> None:
    """What was sent after the last write to Redis' disk is in the attempts alone."""
    ledger.settle(GROUP, take(ledger, [DAY], 2))
    server.restart()
    book.replied = [(f"attempt:{number}", clock.now - number) for number in range(9)]
    assert len(take(ledger, [DAY], 20)) <= 1


def test_after_a_flush_an_open_claim_counts_with_all_the_permits_it_may_hold(
    ledger: RedisLedger, server: Redis, clock: Clock, book: Book
) -> None:
    held = take(ledger, [DAY], 3, claim="42")
    redis_client.Redis.from_url(server.url).flushall()
    book.claims = ["42"]
    assert len(take(ledger, [DAY], 20, claim="43")) == 7
    ledger.settle(GROUP, held)
    assert ledger.usage(GROUP, [DAY]) == [10], "each settled permit took a stand-in's place"


def test_what_a_claim_still_has_in_flight_counts_after_a_flush_when_it_asks_again(
    ledger: RedisLedger, server: Redis, book: Book
) -> None:
    held = take(ledger, [DAY], 2, claim="42")
    redis_client.Redis.from_url(server.url).flushall()
    book.claims = ["42"]
    assert len(take(ledger, [DAY], 20, claim="43")) == 7
    ledger.settle(GROUP, held[:1])
    assert len(ledger.acquire(GROUP, [DAY], "42", 20, holding=1).ids) == 1


def test_a_claim_that_asks_after_a_flush_is_not_blocked_by_itself(
    ledger: RedisLedger, server: Redis, book: Book
) -> None:
    redis_client.Redis.from_url(server.url).flushall()
    book.claims = ["42"]
    assert len(take(ledger, [DAY], 20, claim="42")) == 9, "one may be in flight"
    ledger.close(GROUP, "42")
    assert ledger.usage(GROUP, [DAY]) == [0], "a closed claim leaves nothing behind"


def test_eight_workers_at_once_never_get_one_too_many(ledger: RedisLedger) -> None:
    granted: list[str] = []

    def work(claim: str) -> None:
        for _ in range(20):
            granted.extend(take(ledger, [DAY], 2, claim=claim))

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == len(set(granted)) == 10


# The rows behind both ledgers ------------------------------------------------------------------


@pytest.fixture
def relay(db: None) -> Relay:
    team = Team.objects.create(name="甲")
    return Relay.objects.create(team=team, name="r", host="smtp.example.com", username="hr")


def attempt(relay: Relay, ago: timedelta, *, content_began: bool = True) -> None:
    now = datetime.now(UTC)
    campaign = Campaign.objects.get_or_create(
        team=relay.team, kind="payslip", name="c", relay=relay, from_address="hr@example.com"
    )[0]
    delivery = Delivery.objects.create(
        team=relay.team,
        campaign=campaign,
        source_key=f"r{Delivery.objects.count()}.1",
        address="a@example.com",
        address_key="a@example.com",
        domain="example.com",
        due_at=now,
        deliver_until=now,
        relay=relay,
        changed_at=now,
    )
    Attempt.objects.create(
        team=relay.team,
        delivery=delivery,
        relay=relay,
        started_at=now - ago,
        ended_at=now - ago,
        phase="content",
        outcome="accepted",
        content_began=content_began,
    )


def remembering(kind: str, server: Redis) -> EmbeddedLedger | RedisLedger:
    if kind == "embedded":
        return EmbeddedLedger(started=datetime.now(UTC))
    client = redis_client.Redis.from_url(server.url)
    client.flushall()
    return redis_ledger(client)


@pytest.mark.both_databases
@pytest.mark.parametrize("kind", ["embedded", "redis"])
def test_a_new_ledger_remembers_the_attempts_and_open_claims(
    kind: str, relay: Relay, server: Redis
) -> None:
    for hours in (1, 2, 23):
        attempt(relay, timedelta(hours=hours))
    attempt(relay, timedelta(days=3))
    attempt(relay, timedelta(hours=1), content_began=False)
    ledger = remembering(kind, server)
    assert ledger.usage(relay.quota_group, [DAY]) in ([3], [0])
    assert len(ledger.acquire(relay.quota_group, [DAY], "1", 20).ids) == 7
    assert ledger.usage(relay.quota_group, [DAY]) == [10]


@pytest.mark.both_databases
@pytest.mark.parametrize("kind", ["embedded", "redis"])
def test_an_open_claim_of_another_worker_counts_in_a_new_ledger(
    kind: str, relay: Relay, server: Redis
) -> None:
    Claim.objects.create(
        team=relay.team,
        relay=relay,
        worker="w",
        lease_until=datetime.now(UTC) + timedelta(minutes=1),
    )
    ledger = remembering(kind, server)
    assert len(ledger.acquire(relay.quota_group, [Window(WindowKind.DAY, 30)], "0", 40).ids) < 30

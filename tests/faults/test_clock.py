"""F14: the clock jumps. The quota ledger frees nothing early, a schedule fires once, and leases hold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis as redis_client
import time_machine
from django.utils import timezone

from accounts.models import Relay
from campaigns.mailer.throttle import Window, WindowKind
from campaigns.models import Campaign, Claim
from campaigns.pipeline import control, plan, sweep
from campaigns.pipeline.redis_ledger import RedisLedger
from tests import cast
from tests.servers.redis import Redis

GROUP = "smtp.example.com/hr"
HOUR = Window(WindowKind.HOUR, 5)
DAY = Window(WindowKind.DAY, 5, "Asia/Shanghai")


class Clock:
    """A wall clock and what really passed; only a jump parts them."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 24, 2, 0, tzinfo=UTC).timestamp()
        self.passed = 1000.0

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("clock")) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(server: Redis, clock: Clock) -> RedisLedger:
    client = redis_client.Redis.from_url(server.url)
    client.flushall()
    return a_ledger(client, clock)


def a_ledger(client: redis_client.Redis, clock: Clock) -> RedisLedger:
    return RedisLedger(
        client,
        lambda _group: ([], []),
        block=20,
        history=93_600,
        clock=lambda: clock.wall,
        since_boot=lambda: clock.passed,
    )


def used_up(ledger: RedisLedger, window: Window) -> None:
    ids = ledger.acquire(GROUP, [window], "1", window.amount).ids
    assert len(ids) == window.amount
    ledger.settle(GROUP, ids)


def free(ledger: RedisLedger, window: Window) -> int:
    ids = ledger.acquire(GROUP, [window], "1", 99).ids
    ledger.release(GROUP, ids)
    return len(ids)


@pytest.mark.parametrize("jump", [3600, -3600, 7200, 86_400 * 3])
def test_a_jump_frees_no_quota_and_true_time_does(
    ledger: RedisLedger, clock: Clock, jump: float
) -> None:
    used_up(ledger, HOUR)
    clock.wait(600)
    clock.wall += jump
    assert free(ledger, HOUR) == 0
    clock.wait(2990)
    assert free(ledger, HOUR) == 0
    clock.wait(11)
    assert free(ledger, HOUR) == 5


def test_a_jump_there_and_back_frees_nothing(ledger: RedisLedger, clock: Clock) -> None:
    used_up(ledger, HOUR)
    for jump in (3600, -3600) * 20:
        clock.wait(1)
        clock.wall += jump
        assert free(ledger, HOUR) == 0


def test_time_in_which_nobody_asked_counts_in_full(ledger: RedisLedger, clock: Clock) -> None:
    used_up(ledger, HOUR)
    clock.wait(3601)
    assert free(ledger, HOUR) == 5


def test_a_second_machine_that_was_idle_does_not_believe_the_jump(
    server: Redis, ledger: RedisLedger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from campaigns.pipeline import redis_ledger

    def other_asks() -> int:
        with monkeypatch.context() as patch:
            patch.setattr(redis_ledger, "_machine", lambda: "the other one")
            return free(ledger, HOUR)

    assert other_asks() == 5
    clock.wait(3000)
    used_up(ledger, HOUR)
    clock.wall += 3600
    assert other_asks() == 0
    clock.wait(3590)
    assert other_asks() == 0
    clock.wait(11)
    assert other_asks() == 5


def test_after_a_jump_over_midnight_what_either_time_places_in_the_day_counts(
    ledger: RedisLedger, clock: Clock
) -> None:
    """Nobody knows which of both times was right when the messages went out."""
    clock.wall = datetime(2026, 11, 24, 15, 0, tzinfo=UTC).timestamp()  # 23:00 in Shanghai
    used_up(ledger, DAY)
    clock.wall += 2 * 3600
    assert free(ledger, DAY) == 0
    clock.wait(3590)
    assert free(ledger, DAY) == 0
    clock.wait(2 * 3600)
    assert free(ledger, DAY) == 0
    clock.wait(24 * 3600)
    assert free(ledger, DAY) == 5


def test_a_day_of_25_hours_holds_no_more_than_any_other(ledger: RedisLedger, clock: Clock) -> None:
    berlin = Window(WindowKind.DAY, 5, "Europe/Berlin")
    clock.wall = datetime(2026, 10, 24, 22, 30, tzinfo=UTC).timestamp()  # 00:30 on the 25th
    used_up(ledger, berlin)
    clock.wait(24 * 3600)  # 23:30 on the same day
    assert free(ledger, berlin) == 0
    clock.wait(1801)
    assert free(ledger, berlin) == 5


# Schedules and leases ----------------------------------------------------------------------------


@pytest.fixture
def relay(transactional_db: None) -> Relay:
    team = cast.a_team()
    cast.a_key(team)
    return cast.a_relay(team)


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_scheduled_campaign_starts_once_though_the_clock_jumps(
    relay: Relay, jump: timedelta
) -> None:
    campaign = cast.a_campaign(relay, cast.a_payroll(relay.team, ["a@example.com"]))
    start = timezone.now()
    assert control.launch(campaign, None)
    due = plan.start_due()
    assert due == [campaign.pk]
    assert plan.plan(campaign.pk)
    with time_machine.travel(start + jump):
        assert plan.start_due() == []
        assert not plan.plan(campaign.pk)
    assert plan.start_due() == []
    assert Campaign.objects.get().state == "running"
    assert campaign.deliveries.count() == 1


def test_a_worker_whose_clock_is_wrong_keeps_its_lease(relay: Relay) -> None:
    """Leases are made, renewed and ended by the database's clock alone."""
    from campaigns.pipeline.claim import open_claim, renew

    for offset in (timedelta(hours=-1), timedelta(hours=1)):
        with time_machine.travel(timezone.now() + offset):
            claim = open_claim(relay.pk, "w")
            assert claim is not None
            assert sweep.end_dead_claims() == 0
            assert renew(claim)
        assert sweep.end_dead_claims() == 0
        Claim.objects.filter(pk=claim.pk).update(lease_until=cast.long_ago())
        assert sweep.end_dead_claims() == 1
        assert sweep.end_dead_claims() == 0, "once"

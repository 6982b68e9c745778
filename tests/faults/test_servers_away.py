"""F3, F4: PostgreSQL or Redis goes away in the middle; everything goes on by itself, within the limits."""

from __future__ import annotations

import signal
import time

import pytest

from tests.fakes.scripted_relay import Accepted
from tests.faults.limits import most_at_once
from tests.faults.rig import Rig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


def no_crash_loop(rig: Rig) -> None:
    """The processes are the same ones, and no task but the interrupted ones failed."""
    for name, process in rig.site.processes.items():
        assert process.returncode is None, (name, process.tail())
    failed = rig.logs().count("raised unexpected")
    assert failed <= 12, rig.logs()


# F3 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("kind", ["payslip", "newsletter"])
def test_a_database_that_restarts_in_the_middle_costs_no_mail(
    rig: Rig, how: signal.Signals, kind: str
) -> None:
    run = rig.launch(400, kind=kind, relay={"max_connections": 4})
    rig.until_sent(run, 60)
    rig.postgres.restart(how)
    rig.until_finished(run, seconds=60)
    states = rig.check(run)
    assert states == {"accepted": 400}, "workers that live write what they remember"
    no_crash_loop(rig)


def test_while_the_database_is_away_nothing_leaves_that_was_not_begun_before(rig: Rig) -> None:
    """Longer than a lease. A message in flight ends, and its connection waits for the commit."""
    connections = 4
    # A line with a delay: without one all are sent before the database is gone.
    run = rig.launch(200, relay={"max_connections": connections}, round_trip=0.03)
    rig.until_sent(run, 40)
    rig.postgres.stop(signal.SIGKILL)
    time.sleep(0.5)
    before = len(run.server.accepted)
    time.sleep(6)
    assert len(run.server.accepted) - before <= connections
    assert len(run.server.accepted) < 200
    rig.postgres.start()
    rig.until_finished(run, seconds=60)
    states = rig.check(run)
    assert states["accepted"] + states["in_doubt"] == 200
    assert states["in_doubt"] == 0, "a late reply of a living worker says what became of it"
    no_crash_loop(rig)


# F4 -----------------------------------------------------------------------------------------------


def test_a_flush_of_redis_in_the_middle_exceeds_no_window(rig: Rig) -> None:
    run = rig.launch(120, relay={"max_connections": 3}, limits={"second": 10, "minute": 60})
    take = run.server.take
    client = rig.redis()

    def take_and_flush(message: Accepted) -> None:
        take(message)
        if len(run.server.accepted) in (7, 25, 36):
            client.flushall()

    run.server.take = take_and_flush  # type: ignore[method-assign]
    rig.until_sent(run, 45)
    time.sleep(4)
    assert most_at_once(run.server.accepted, 1.0) <= 10
    assert len(run.server.accepted) <= 60
    rig.check(run)


def test_a_redis_that_restarts_empty_gives_no_fresh_quota(rig: Rig) -> None:
    run = rig.launch(60, relay={"max_connections": 3}, limits={"hour": 40})
    rig.until_sent(run, 15)
    rig.site.redis.restart(signal.SIGKILL)
    # One place goes to the message that a connection may have had in flight.
    rig.until_sent(run, 38, seconds=40)
    time.sleep(3)
    assert len(run.server.accepted) <= 40
    rig.check(run)


def test_without_redis_nothing_is_sent_and_afterwards_the_campaign_goes_on(rig: Rig) -> None:
    # With a limit permits come in small blocks, and only what is at hand may still be sent.
    run = rig.launch(300, relay={"max_connections": 3}, limits={"day": 10_000}, round_trip=0.05)
    rig.until_sent(run, 50)
    rig.site.redis.stop(signal.SIGKILL)
    time.sleep(2)
    before = len(run.server.accepted)
    time.sleep(3)
    assert len(run.server.accepted) == before < 300, "no permit, no mail"
    rig.site.redis.start()
    rig.until_finished(run, seconds=60)
    assert rig.check(run) == {"accepted": 300}
    no_crash_loop(rig)


@pytest.mark.parametrize("alone", [1, 2])
def test_every_worker_by_itself_hears_of_work_again_when_redis_is_back(
    rig: Rig, alone: int
) -> None:
    rig.site.redis.restart(signal.SIGKILL)
    time.sleep(3)
    rig.site.processes[f"worker-{3 - alone}"].kill()
    run = rig.launch(3)
    rig.until_finished(run, seconds=40)
    assert rig.check(run) == {"accepted": 3}


def test_a_campaign_can_be_launched_while_redis_is_away(rig: Rig) -> None:
    """The page answers, the session lasts, and the beat after Redis' return sends."""
    rig.site.redis.stop(signal.SIGKILL)
    begun = time.monotonic()
    run = rig.launch(3)
    assert time.monotonic() - begun < 15
    rig.site.redis.start()
    rig.until_finished(run, seconds=60)
    assert rig.check(run) == {"accepted": 3}

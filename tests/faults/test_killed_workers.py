"""F1, F2, F20: workers die at any instruction; nobody is lost, nobody is mailed twice."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.fakes.scripted_relay import Accepted, ScriptedRelay
from tests.faults.killing import kill_at_random_times
from tests.faults.rig import Rig

pytestmark = pytest.mark.slow

KILLS = 10
CONNECTIONS = 2


@pytest.mark.timeout(240)
def test_ten_kills_over_5000_recipients_lose_nobody_and_mail_nobody_twice(rig: Rig) -> None:
    run = rig.launch(5_000, relay={"max_connections": CONNECTIONS}, round_trip=0.005)
    rig.until_sent(run, 50)
    kills = kill_at_random_times(rig, run, kills=KILLS, seed=20261124)
    assert kills == KILLS
    rig.until_finished(run, seconds=120)
    states = rig.check(run)
    assert states["in_doubt"] <= kills * CONNECTIONS
    assert states == {"accepted": 5_000 - states["in_doubt"]} | only(states, "in_doubt")


def only(states: Counter[str], name: str) -> dict[str, int]:
    return {name: states[name]} if states[name] else {}


# F2 -----------------------------------------------------------------------------------------------


class KillAt:
    """kill -9 of the worker when the relay has taken its n-th message and not answered yet."""

    def __init__(self, rig: Rig, number: int) -> None:
        self.killed = threading.Event()
        self._rig, self._left = rig, number

    def watch(self, server: ScriptedRelay) -> None:
        """From its first message on."""
        self._take = server.take
        server.take = self._take_and_kill  # type: ignore[method-assign]

    def _take_and_kill(self, message: Accepted) -> None:
        self._take(message)
        self._left -= 1
        if self._left == 0:
            self._rig.site.processes["worker-1"].kill()
            self.killed.set()


@pytest.mark.parametrize(
    ("policy", "left", "repeats"),
    [("ask", "in_doubt", 0), ("resend", "accepted", 1), ("accept", "accepted", 0)],
)
def test_a_kill_between_the_relays_250_and_the_commit_is_in_doubt(
    rig: Rig, policy: str, left: str, repeats: int
) -> None:
    rig.site.processes["worker-2"].kill()
    kill = KillAt(rig, 3)
    run = rig.launch(6, relay={"max_connections": 1}, in_doubt_policy=policy, prepare=kill.watch)
    assert kill.killed.wait(30), rig.logs()
    rig.ready()
    rig.until_finished(run, seconds=30)
    hit = run.server.accepted[2].message_id
    (row,) = (row for row in rig.rows(run) if row.message_id == hit)
    assert row.state == left
    assert len(run.server.accepted) == 6 + repeats, "only that one, and only by the policy"
    assert Counter(m.message_id for m in run.server.accepted)[hit] == 1 + repeats
    rig.check(run, repeats=repeats)


def test_a_kill_after_the_250_was_read_and_before_its_commit_is_in_doubt(rig: Rig) -> None:
    """The outcome waits for a lock of ours on its row while its worker dies."""
    rig.site.processes["worker-2"].kill()
    held = threading.Event()

    with rig.site.connect() as other:

        def hold(server: ScriptedRelay) -> None:
            take = server.take
            server.take = lambda message: take_and_hold(take, message)  # type: ignore[method-assign]

        def take_and_hold(take: Callable[[Accepted], None], message: Accepted) -> None:
            take(message)
            if not held.is_set():
                other.execute(
                    "SELECT 1 FROM campaigns_delivery WHERE message_id = %s FOR UPDATE",
                    [message.message_id],
                )
                held.set()

        run = rig.launch(3, relay={"max_connections": 1, "final_dot_timeout": 20}, prepare=hold)
        assert held.wait(30), rig.logs()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        rig.until(lambda: bool(rig.sql(waiting)), seconds=10)
        rig.site.processes["worker-1"].kill()
    # Whether the statement that the server already had is committed now is the server's affair.
    rig.ready()
    rig.until_finished(run, seconds=30)
    assert rig.check(run) == {"accepted": 2, "in_doubt": 1}


# F20 ----------------------------------------------------------------------------------------------


def test_sigterm_drains_within_30_seconds_and_leaves_no_doubt(rig: Rig) -> None:
    run = rig.launch(1_500, relay={"max_connections": 4}, round_trip=0.05)
    rig.until_sent(run, 100)
    for number in (1, 2):
        worker = rig.site.processes[f"worker-{number}"]
        begun = time.monotonic()
        worker.stop(signal.SIGTERM, seconds=30)
        assert time.monotonic() - begun < 10, "a batch of ten seconds was cut short"
        assert worker.returncode == 0
    sent = len(run.server.accepted)
    assert sent < 1_500
    assert rig.check(run) == {"accepted": sent, "queued": 1_500 - sent}
    assert not rig.sql("SELECT 1 FROM campaigns_claim WHERE ended_at IS NULL"), "nothing is held"
    rig.ready()
    rig.until_finished(run, seconds=60)
    assert rig.check(run) == {"accepted": 1_500}


@pytest.mark.timeout(150)
@pytest.mark.parametrize("first", ["workers", "servers"])
def test_a_reboot_of_everything_goes_on_whatever_starts_first(rig: Rig, first: str) -> None:
    run = rig.launch(600, relay={"max_connections": 2})
    rig.until_sent(run, 60)
    for process in rig.site.processes.values():
        process.kill()
    rig.postgres.stop(signal.SIGKILL)
    rig.site.redis.stop(signal.SIGKILL)
    if first == "workers":
        rig.start_without_waiting()
        time.sleep(3)
    rig.site.redis.start()
    rig.postgres.start()
    rig.ready()
    rig.until_finished(run, seconds=60)
    states = rig.check(run)
    assert states["in_doubt"] <= 2
    assert states["accepted"] + states["in_doubt"] == 600

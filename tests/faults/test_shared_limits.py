"""Workers of several hosts share the limits of one relay through Redis, by the relay's own clock."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.site import ROOT
from tests.faults.carrier import carry
from tests.faults.limits import most_at_once
from tests.faults.namespaces import Host, are_permitted, hosts
from tests.faults.rig import Rig, Run


@pytest.fixture
def quiet(rig: Rig) -> Rig:
    """No worker and no beat but those that a test starts."""
    for process in list(rig.site.processes.values()):
        process.stop()
    return rig


def launched(rig: Rig, runs: Sequence[Run]) -> None:
    """Starts and plans them, as a tick does. A worker that was stopped may have left its lease."""
    script = "from campaigns.pipeline import plan\n[plan.plan(one) for one in plan.start_due()]"
    for _ in range(3):
        rig.sql("UPDATE campaigns_campaign SET plan_lease_until = NULL WHERE planned_at IS NULL")
        rig.site.manage("shell", "-c", script)
        if all(rig.states(run) for run in runs):
            return
    raise AssertionError(rig.logs())


@contextmanager
def senders(
    rig: Rig, folder: Path, given: Sequence[dict[str, Any]], prefixes: Sequence[Sequence[str]]
) -> Iterator[None]:
    """One process each; the block begins when all are at work, and they end in order with it."""
    stop = folder / "stop"
    ready = [folder / f"ready-{one['name']}" for one in given]
    with ExitStack() as logs:
        running = []
        for prefix, one in zip(prefixes, given, strict=True):
            words = json.dumps({**one, "stop": str(stop)})
            log = logs.enter_context((folder / f"{one['name']}.log").open("w"))
            command = [*prefix, sys.executable, "-m", "tests.faults.sender", words]
            running.append(
                subprocess.Popen(command, cwd=ROOT, env=rig.site.env, stdout=log, stderr=log)
            )
        try:
            rig.until(lambda: all(path.exists() for path in ready), seconds=90)
            yield
        finally:
            stop.touch()
            for process, one in zip(running, given, strict=True):
                told = (folder / f"{one['name']}.log").read_text
                assert process.wait(timeout=60) == 0, told()


def workers_of(rig: Rig, run: Run) -> set[str]:
    """Whose claims were open while the relay took messages."""
    found = rig.sql(
        "SELECT DISTINCT c.worker FROM campaigns_claim c JOIN campaigns_attempt a"
        " ON a.relay_id = c.relay_id AND a.ended_at BETWEEN c.created_at AND c.ended_at"
        " WHERE c.relay_id = %s",
        run.relay,
    )
    return {str(row[0]) for row in found}


@pytest.mark.timeout(300)
def test_eight_processes_keep_the_limits_of_two_relays(quiet: Rig, tmp_path: Path) -> None:
    few = quiet.launch(60, limits={"second": 5, "minute": 200}, relay={"max_connections": 4})
    many = quiet.launch(200, limits={"minute": 40, "hour": 500}, relay={"max_connections": 4})
    given = [
        {"relays": [[few, many][number % 2].relay], "name": f"host-{number}"} for number in range(8)
    ]
    with senders(quiet, tmp_path, given, [()] * 8):
        launched(quiet, [few, many])
        quiet.until_sent(few, 60, seconds=90)
        quiet.until_sent(many, 40, seconds=60)
    assert 1 < most_at_once(few.server.accepted, 1.0) <= 5
    assert most_at_once(many.server.accepted, 60.0) == 40, "all that a minute allows, and no more"
    for run in (few, many):
        quiet.check(run)


@pytest.fixture
def two_hosts(quiet: Rig) -> Iterator[tuple[Rig, list[Host]]]:
    if not are_permitted():
        yield quiet, [Host(f"host-{name}", "", ()) for name in "ab"]
        return
    with hosts(2) as made:
        yield quiet, made


@pytest.mark.timeout(300)
def test_two_workers_on_two_network_namespaces_share_one_relays_limits(
    two_hosts: tuple[Rig, list[Host]], tmp_path: Path
) -> None:
    """Where namespaces are not permitted: two hosts' worth of processes."""
    rig, machines = two_hosts
    run = rig.launch(400, limits={"second": 6, "minute": 50}, relay={"max_connections": 4})
    servers = (rig.site.env["DATABASE_URL"], rig.site.env["REDIS_URL"])
    ports = [run.server.port, *(urlsplit(url).port or 0 for url in servers)]
    given = [
        {
            "relays": [run.relay],
            "name": host.name,
            **({"through": host.gateway, "ports": ports} if host.gateway else {}),
        }
        for host in machines
    ]
    with ExitStack() as cables:
        for host in machines:
            for port in ports if host.gateway else ():
                cables.enter_context(carry((host.gateway, port), ("127.0.0.1", port)))
        with senders(rig, tmp_path, given, [host.prefix for host in machines]):
            launched(rig, [run])
            rig.until_sent(run, 50, seconds=90)
            time.sleep(1)  # for one too many
    assert workers_of(rig, run) == {host.name for host in machines}
    assert most_at_once(run.server.accepted, 1.0) <= 6
    assert most_at_once(run.server.accepted, 60.0) == 50, "one minute's allowance for both"
    rig.check(run)

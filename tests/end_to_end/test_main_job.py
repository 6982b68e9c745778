"""The main job on real parts: a payroll becomes one private message for each employee.

PostgreSQL, Redis, two Celery worker processes, beat, Postfix as the relay and Dovecot's POP3; a
worker is killed with -9 on the way. What Postfix delivered is the truth, and the rows must agree.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dkim
import pytest

from tests import cast
from tests.end_to_end.conftest import BOUNCES, BOUNCES_PASSWORD
from tests.end_to_end.site import LiveSite
from tests.fakes.scripted_relay import Accepted, RelayOptions, ScriptedRelay
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix

EMPLOYEES = 2_000
STAFF = "staff.example.com"
RETURN_PATHS = BOUNCES.replace("@", "+{token}@")


def until(done: Callable[[], bool], *, seconds: float, what: Callable[[], object]) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


def asked(site: LiveSite, sql: str) -> Any:
    """One value: while a test waits, a process for each look (`act`) would take what the site needs."""
    with site.connect() as connection:
        row = connection.execute(sql).fetchone()  # type: ignore[call-overload]
        return row and row[0]


def read_and_launch(site: LiveSite, employees: int, awkward: list[str]) -> None:
    site.act("upload", employees=employees, domain=STAFF, awkward=awkward)
    until(
        lambda: asked(site, "SELECT state FROM campaigns_workbook") == "read",
        seconds=90,
        what=lambda: (site.act("workbook"), site.log("worker-1")),
    )
    assert site.act("workbook")["rows"] == employees
    site.act("launch")


def finished(site: LiveSite) -> bool:
    return bool(asked(site, "SELECT state FROM campaigns_campaign") == "finished")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_employee_gets_one_own_message_though_a_worker_is_killed(
    live_site: LiveSite, postfix: Postfix, dovecot: Dovecot
) -> None:
    live_site.env |= {"CLAIM_LEASE_SECONDS": "6", "POLL_SECONDS": "3", "TICK_SECONDS": "1"}
    ca = postfix.certificate.authority.read_text()
    relay = {
        "host": "localhost",
        "port": postfix.port,
        "tls_mode": "starttls",
        "ca_pem": ca,
        "own_return_path": True,
        "max_connections": 2,
        "final_dot_timeout": 20,
        "command_timeout": 20,
    }
    mailbox = {
        "address": BOUNCES,
        "host": "localhost",
        "port": dovecot.tls_port,
        "ca_pem": dovecot.certificate.authority.read_text(),
        "internal_allowed": True,
        "username": BOUNCES,
        "secret": BOUNCES_PASSWORD,
        "return_path_pattern": RETURN_PATHS,
    }
    company = live_site.act("found_company", relay=relay, mailbox=mailbox, limit=0)
    workers = [live_site.spawn("worker", name=f"worker-{number}") for number in (1, 2)]
    live_site.spawn("beat")
    read_and_launch(live_site, EMPLOYEES, ["refuse", "bounce"])

    until(
        lambda: asked(live_site, "SELECT count(*) FROM campaigns_attempt") > EMPLOYEES / 5,
        seconds=90,
        what=lambda: live_site.log("worker-1"),
    )
    workers[0].kill()
    until(lambda: finished(live_site), seconds=180, what=lambda: live_site.act("states"))
    postfix.wait_until_delivered()

    rows = live_site.act("deliveries")
    assert len(rows) == EMPLOYEES
    doubtful = check_mailboxes(rows, postfix, company["txt"])
    assert doubtful <= 2, "at most one for each connection of the killed worker"
    by_state = live_site.act("states")["deliveries"]
    assert by_state["refused"] == 1
    assert by_state["accepted"] == EMPLOYEES - 1 - doubtful

    until(
        lambda: asked(live_site, "SELECT count(*) FROM campaigns_feedback") > 0,
        seconds=40,
        what=lambda: live_site.log("worker-2"),
    )
    came_back = live_site.act("feedback")
    (bounce,) = came_back["bounces"]
    assert (bounce["kind"], bounce["hard"], bounce["proof"]) == ("bounce", True, "return_path")
    assert bounce["address"].startswith("bounce-")
    assert sorted(address.partition("-")[0] for address in came_back["suppressed"]) == [
        "bounce",
        "refuse",
    ]


def check_mailboxes(rows: list[dict[str, str]], postfix: Postfix, txt: str) -> int:
    """Each mailbox against its row; returns how many rows are in doubt."""
    boxes = defaultdict(list)
    for delivered in postfix.delivered():
        boxes[delivered.recipient].append(delivered)
    doubtful = 0
    for row in rows:
        got = boxes.pop(row["address"], [])
        if row["state"] == "in_doubt":
            doubtful += 1
            assert len(got) <= 1
        elif row["state"] == "refused" or row["address"].startswith("bounce-"):
            assert got == []
        else:
            assert row["state"] == "accepted"
            assert len(got) == 1, row
        for delivered in got:
            message = delivered.message
            assert message["Message-ID"] == row["message_id"]
            assert [str(a.addr_spec) for a in message["To"].addresses] == [row["address"]]
            assert row["net"] in message.get_body(("html",)).get_content()
            assert row["net"] in message.get_body(("plain",)).get_content()
    assert set(boxes) <= {BOUNCES}, "nobody else got anything"
    signed = postfix.delivered()[7].content.replace(b"\n", b"\r\n")
    assert dkim.verify(signed, dnsfunc=lambda name, timeout=5: txt.encode())
    return doubtful


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_two_workers_never_put_more_than_five_messages_into_a_second(
    live_site: LiveSite, tmp_path: Path
) -> None:
    live_site.env |= {"CLAIM_LEASE_SECONDS": "5", "TICK_SECONDS": "1"}
    with ScriptedRelay(RelayOptions()) as relay:
        live_site.act(
            "found_company",
            relay={"port": relay.port, "max_connections": 4},
            mailbox=None,
            limit=5,
        )
        for number in (1, 2):
            live_site.spawn("worker", name=f"worker-{number}")
        live_site.spawn("beat")
        read_and_launch(live_site, 60, [])
        until(
            lambda: len(relay.accepted) >= 20,
            seconds=60,
            what=lambda: live_site.log("worker-1"),
        )
        live_site.processes["worker-1"].kill()
        live_site.spawn("worker", name="worker-1")
        until(lambda: finished(live_site), seconds=90, what=lambda: live_site.act("states"))
        taken = list(relay.accepted)
    assert most_at_once(taken) <= 5
    states = live_site.act("states")["deliveries"]
    assert states.get("accepted", 0) + states.get("in_doubt", 0) == 60
    assert len({message.message_id for message in taken}) == len(taken)
    assert cast.DOMAIN in taken[0].mail_from


def most_at_once(taken: list[Accepted]) -> int:
    """The most messages in any window of one second, each from its start to a second after its reply."""
    edges = [(message.started, 1) for message in taken]
    edges += [(message.ended + 1.0, -1) for message in taken]
    most = inside = 0
    for _at, change in sorted(edges):
        inside += change
        most = max(most, inside)
    return most

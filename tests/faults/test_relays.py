"""F5 to F9: relays that hang up, refuse, wait or stall. The outcome is what can be known, no more."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models.relay import default_retry_seconds
from campaigns.models import Suppression
from tests.fakes.relay_script import Drip, Drop, Reset, Rule, Say, Stall
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.faults import scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("new_ledger")]


# F5 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accepts", [True, False])
@pytest.mark.parametrize("action", [Drop(), Reset(), Say("2")])
def test_a_link_lost_after_the_final_dot_is_unknown_and_not_tried_again(
    server: ScriptedRelay, action: Drop | Reset | Say, accepts: bool
) -> None:
    server.script.add(Rule("dot", action, "p2@*", accept=accepts))
    campaign = scene.a_campaign(server)
    scene.run(campaign, 3)
    assert scene.check(campaign, server) == {"accepted": 4, "in_doubt": 1}
    doubtful = scene.of(campaign, "p2@example.com")
    assert doubtful.tries.count() == 1
    assert not Suppression.objects.exists()
    assert scene.finished(campaign), "in doubt counts as an end"


# F6 -----------------------------------------------------------------------------------------------

BEFORE_THE_CONTENT = [
    ("banner", Drop()),
    ("banner", Reset()),
    ("banner", Say("421 4.3.2 closing")),
    ("ehlo", Drop()),
    ("mail", Say("421 4.4.2 closing")),
    ("mail", Reset()),
    ("rcpt", Drop()),
    ("data", Reset()),
    ("data", Say("421 4.4.2 closing")),
]


@pytest.mark.parametrize(("phase", "action"), BEFORE_THE_CONTENT)
def test_a_link_lost_before_the_content_is_tried_again_and_costs_no_try(
    server: ScriptedRelay, phase: str, action: Drop | Reset | Say
) -> None:
    server.script.add(Rule(phase, action, first=1))
    campaign = scene.a_campaign(server, 4)
    for _ in range(4):
        scene.run(campaign, 2)
        scene.unpark(campaign)
    assert scene.check(campaign, server) == {"accepted": 4}
    assert {delivery.attempts for delivery in campaign.deliveries.all()} == {1}


def test_a_421_between_two_mails_costs_neither_of_them(server: ScriptedRelay) -> None:
    server.script.add(Rule("mail", Say("421 4.7.0 too many messages"), skip=2, first=1))
    campaign = scene.a_campaign(server, 5)
    for _ in range(3):
        scene.run(campaign, 2)
        scene.unpark(campaign)
    assert scene.check(campaign, server) == {"accepted": 5}


def test_a_relay_that_always_hangs_up_is_parked_after_three_times(server: ScriptedRelay) -> None:
    server.script.add(Rule("mail", Drop()))
    campaign = scene.a_campaign(server, 50)
    scene.run(campaign)
    assert server.connections == 3
    campaign.relay.refresh_from_db()
    assert campaign.relay.parked_until > timezone.now()
    assert not campaign.deliveries.exclude(attempts=0).exists()


# F7, F8 -------------------------------------------------------------------------------------------


def test_a_greylisted_recipient_waits_five_minutes_and_nobody_else_does(
    server: ScriptedRelay,
) -> None:
    server.script.add(Rule("rcpt", Say("451 4.7.1 Greylisting in action"), "p1@*", first=1))
    campaign = scene.a_campaign(server, 4, relay={"retry_seconds": default_retry_seconds()})
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 3, "deferred": 1}
    waiting = scene.of(campaign, "p1@example.com")
    wait = waiting.due_at - timezone.now()
    assert timedelta(minutes=4, seconds=50) < wait < timedelta(minutes=7)
    scene.run(campaign, 2)
    assert len(server.accepted) == 3, "not before"
    campaign.deliveries.filter(state="deferred").update(due_at=timezone.now())
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 4}
    assert not Suppression.objects.exists()


def test_each_recipient_keeps_its_own_reply(server: ScriptedRelay) -> None:
    server.script.add(Rule("rcpt", Say("550 5.1.1 no such user here"), "p0@*"))
    server.script.add(Rule("rcpt", Say("452 4.2.2 mailbox full"), "p2@*"))
    campaign = scene.a_campaign(server, 4)
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 2, "refused": 1, "deferred": 1}
    key = campaign.workbook.data_key
    texts = {
        attempt.delivery.address: key.open(bytes(attempt.sealed_text)).decode()
        for delivery in campaign.deliveries.all()
        for attempt in delivery.tries.all()
    }
    assert texts["p0@example.com"] == "no such user here"
    assert texts["p2@example.com"] == "mailbox full"
    assert [row.address_key for row in Suppression.objects.all()] == ["p0@example.com"]


# F9 -----------------------------------------------------------------------------------------------

STALLS = [
    ("banner", Stall(60)),
    ("rcpt", Stall(60)),
    ("data", Stall(60)),
    ("rcpt", Drip(b"250 " + b"x" * 500, 0.2)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("phase", "action"), STALLS)
def test_a_relay_that_stalls_before_the_content_holds_a_worker_for_its_timeout_alone(
    server: ScriptedRelay, phase: str, action: Stall | Drip
) -> None:
    server.script.add(Rule(phase, action))
    campaign = scene.a_campaign(server, 3)
    begun = time.monotonic()
    scene.run(campaign)
    assert time.monotonic() - begun < 3 * 1.5 + 1, "at most three patient tries of a second"
    states = scene.check(campaign, server)
    assert states["queued"] + states["deferred"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("action", [Stall(60), Drip(b"250 " + b"x" * 500, 0.2)])
def test_a_stall_after_the_dot_leaves_that_one_in_doubt(
    server: ScriptedRelay, action: Stall | Drip
) -> None:
    server.script.add(Rule("dot", action, "p1@*"))
    campaign = scene.a_campaign(server, 3)
    begun = time.monotonic()
    scene.run(campaign, 2)
    assert time.monotonic() - begun < 4
    assert scene.check(campaign, server) == {"accepted": 2, "in_doubt": 1}


@pytest.mark.slow
def test_a_stalled_relay_holds_up_no_other(server: ScriptedRelay) -> None:
    server.script.add(Rule("dot", Stall(60)))
    with ScriptedRelay(RelayOptions()) as good:
        stalled = scene.a_campaign(server, 2, relay={"final_dot_timeout": 3})
        flowing = scene.a_campaign(good, 20)

        def work() -> None:
            try:
                scene.run(stalled)
            finally:
                connection.close()

        thread = threading.Thread(target=work)
        thread.start()
        scene.run(flowing)
        assert scene.check(flowing, good) == {"accepted": 20}
        assert thread.is_alive(), "the other one still waits"
        thread.join()
    assert scene.check(stalled, server) == {"in_doubt": 2}


def test_the_shipped_timeout_of_the_final_dot_is_that_of_rfc_5321() -> None:
    from accounts.models import Relay

    assert Relay._meta.get_field("final_dot_timeout").default >= 600

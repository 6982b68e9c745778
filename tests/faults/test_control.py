"""F16 to F19, F23: launched once, started once, paused at once, claimed once, summed up in the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.pipeline import control, counts, plan, send, sweep
from tests import cast
from tests.fakes.relay_script import Drop, Rule, Say
from tests.fakes.scripted_relay import Accepted, RelayOptions, ScriptedRelay
from tests.faults import scene, truth
from tests.faults.rig import Rig

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("new_ledger")]


def at_once(work: Callable[[], object], times: int) -> list[object]:
    """The results of so many threads that do the same at the same moment."""
    results: list[object] = []
    barrier = threading.Barrier(times)

    def one() -> None:
        try:
            barrier.wait(10)
            results.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == times
    return results


def a_draft(port: int = 1, count: int = 5) -> Campaign:
    team = cast.a_team()
    cast.a_key(team)
    addresses = [f"p{number}@example.com" for number in range(count)]
    return cast.a_campaign(
        cast.a_relay(team, port, max_connections=8), cast.a_payroll(team, addresses)
    )


# F16 ----------------------------------------------------------------------------------------------


def test_twenty_parallel_launches_are_one_run(server: ScriptedRelay) -> None:
    campaign = a_draft(server.port)
    user = cast.a_user(campaign.team)
    launched = at_once(lambda: control.launch(Campaign.objects.get(pk=campaign.pk), user), 20)
    assert launched.count(True) == 1
    due = at_once(lambda: [plan.plan(pk) for pk in plan.start_due()], 8)
    assert sum(answer.count(True) for answer in due) == 1  # type: ignore[attr-defined]
    assert campaign.deliveries.count() == 5
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 5}


# F17 ----------------------------------------------------------------------------------------------


def test_a_start_that_is_hours_late_asks_instead_of_sending(settings: object) -> None:
    campaign = a_draft()
    assert control.launch(campaign, None)
    settings.LATE_START_HOURS = 2  # type: ignore[attr-defined]
    late = timezone.now() - timedelta(hours=3)
    Campaign.objects.filter(pk=campaign.pk).update(scheduled_at=late)
    assert [due for answer in at_once(plan.start_due, 4) for due in answer] == []  # type: ignore[attr-defined]
    campaign.refresh_from_db()
    assert (campaign.state, campaign.hold_reason) == ("scheduled", "late_start")
    assert control.resume(campaign), "a person says so"
    assert plan.start_due() == [campaign.pk]


@pytest.mark.slow
def test_two_beats_start_a_campaign_once(rig: Rig) -> None:
    rig.beat(2)
    run = rig.launch(30)
    rig.until_finished(run, seconds=40)
    assert rig.check(run) == {"accepted": 30}
    rig.site.processes["beat-2"].stop()


# F18 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [control.pause, control.cancel])
def test_at_most_the_messages_in_flight_leave_after_a_pause_or_a_cancel(
    server: ScriptedRelay, act: Callable[[Campaign], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = scene.a_campaign(server, 60, relay={"max_connections": 2})
    take, acted = server.take, threading.Event()
    after: list[Accepted] = []

    def take_and_act(message: Accepted) -> None:
        if acted.is_set():
            after.append(message)
        take(message)
        if len(server.accepted) == 10:
            assert act(campaign)
            acted.set()
            connection.close()

    monkeypatch.setattr(server, "take", take_and_act)
    monkeypatch.setattr("django.conf.settings.CLAIM_BATCH", 30)
    at_once(lambda: send.send_batch(campaign.relay_id, "w"), 2)
    assert len(after) <= 3, "what had begun, and the one that was committed with its outcome"
    assert server.connections <= 6, "no reconnection for each row that waits"
    states = scene.check(campaign, server)
    sent = len(server.accepted)
    rest = "queued" if act is control.pause else "cancelled"
    assert states == {"accepted": sent, rest: 60 - sent}


def test_a_resume_sends_none_again_and_what_is_edited_meanwhile_changes_nothing(
    server: ScriptedRelay,
) -> None:
    campaign = scene.a_campaign(server, 6)
    type(campaign.relay).objects.update(per_connection=1)
    campaign.deliveries.filter(address__in=["p3@example.com", "p4@example.com"]).update(
        due_at=timezone.now() + timedelta(hours=1)
    )
    scene.run(campaign)
    assert control.pause(campaign)
    campaign.template.prepared_html = "<p>别的内容</p>"
    campaign.template.save()
    campaign.deliveries.update(due_at=timezone.now())
    assert control.resume(campaign)
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 6}
    assert not any("别的内容".encode() in message.content for message in server.accepted)


def test_a_cancel_is_final(server: ScriptedRelay) -> None:
    campaign = scene.a_campaign(server, 3)
    assert control.cancel(campaign)
    assert not control.resume(campaign)
    assert not control.pause(campaign)
    assert plan.start_due() == []
    scene.run(campaign, 2)
    assert scene.check(campaign, server) == {"cancelled": 3}


# F19 ----------------------------------------------------------------------------------------------


def test_the_same_task_twenty_times_at_once_sends_each_message_once(
    server: ScriptedRelay,
) -> None:
    campaign = scene.a_campaign(server, 40, relay={"max_connections": 8})
    at_once(lambda: send.send_batch(campaign.relay_id, "w"), 20)
    scene.run(campaign)
    assert scene.check(campaign, server) == {"accepted": 40}
    assert server.most_open_connections <= 8


@pytest.mark.slow
def test_tasks_that_the_broker_delivers_over_and_over_find_nothing_to_do(rig: Rig) -> None:
    """Every message of the queue is delivered five times, as after a visibility timeout."""
    client = rig.redis()
    run = rig.launch(200, relay={"max_connections": 4})
    copied = 0
    while rig.state(run) != "finished" and copied < 2_000:
        for task in client.lrange("hongyan", 0, -1)[:50]:
            client.lpush("hongyan", *[task] * 5)
            copied += 5
    rig.until_finished(run, seconds=60)
    assert rig.check(run) == {"accepted": 200}
    client.delete("hongyan")


# F23 ----------------------------------------------------------------------------------------------


def test_in_the_end_every_row_has_one_final_state_and_the_sums_agree(
    server: ScriptedRelay,
) -> None:
    server.script.add(Rule("rcpt", Say("550 5.1.1 unknown"), "p1@*"))
    server.script.add(Rule("dot", Drop(), "p2@*"))
    server.script.add(Rule("rcpt", Say("451 4.7.1 later"), "p3@*", first=1))
    campaign = scene.a_campaign(server, 12)
    campaign.deliveries.filter(address="p4@example.com").update(deliver_until=cast.long_ago())
    scene.run(campaign, 3)
    assert not scene.finished(campaign), "one is still to be tried"
    campaign.deliveries.filter(state="deferred").update(due_at=timezone.now())
    scene.run(campaign)
    assert scene.finished(campaign)
    states = scene.check(campaign, server)
    assert states == {"accepted": 9, "refused": 1, "in_doubt": 1, "expired": 1}
    assert set(states) <= truth.FINAL
    assert sum(states.values()) == 12
    kept = {state: number for state, number in campaign.counts.items() if number}
    assert kept == states, "the counts of the page are those of the rows"
    assert counts.recount(campaign.pk) == states | {"bounced": 0}


def test_a_campaign_with_an_open_row_is_never_finished(server: ScriptedRelay) -> None:
    with ScriptedRelay(RelayOptions()):
        campaign = scene.a_campaign(server, 2)
        for state in ("queued", "sending", "deferred"):
            campaign.deliveries.update(state="accepted")
            row = campaign.deliveries.first()
            row.state = state
            row.save()
            sweep.finish()
            campaign.refresh_from_db()
            assert campaign.state == "running", state

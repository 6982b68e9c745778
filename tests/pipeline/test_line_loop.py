"""Several connections of one batch: one loop, one commit, and none waits for another one (ADR 15)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection
from django.db.models import Count

from campaigns.models import Attempt, Campaign, Claim, Delivery
from campaigns.pipeline import control, send
from campaigns.pipeline.line_loop import Background, LineLoop, Script
from campaigns.pipeline.outcome import Entry, record
from campaigns.pipeline.written_outcomes import WrittenOutcomes
from tests import cast
from tests.fakes.relay_script import Rule, Say, Stall
from tests.fakes.scripted_relay import Accepted, RelayOptions, ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

LINES = 4


@pytest.fixture(autouse=True)
def one_worker(settings: object) -> None:
    settings.WORKERS = 1


@pytest.fixture
def server() -> Iterator[ScriptedRelay]:
    with ScriptedRelay(RelayOptions(round_trip=0.01)) as relay:
        yield relay


def campaign_of(server: ScriptedRelay, count: int = 60) -> Campaign:
    team = cast.a_team()
    cast.a_key(team)
    relay = cast.a_relay(team, server.port, max_connections=LINES)
    payroll = cast.a_payroll(team, [f"p{number}@example.com" for number in range(count)])
    return cast.launched(cast.a_campaign(relay, payroll))


def states(campaign: Campaign) -> dict[str, int]:
    return dict(Counter(campaign.deliveries.values_list("state", flat=True)))


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[list[Entry]]:
    """What was committed together, in order; each commit is as slow as a disk, so that others wait."""
    found: list[list[Entry]] = []

    def recording(entries: list[Entry], lead: Claim, written: WrittenOutcomes) -> object:
        found.append(list(entries))
        time.sleep(0.015)
        return record(entries, lead, written)

    monkeypatch.setattr(send, "record", recording)
    return found


def test_what_several_connections_have_to_record_is_one_commit(
    server: ScriptedRelay, groups: list[list[Entry]]
) -> None:
    campaign = campaign_of(server)
    send.send_batch(campaign.relay_id, "worker")
    assert states(campaign) == {"accepted": 60}
    assert Attempt.objects.count() == 60
    assert server.connections == LINES
    assert max(len(group) for group in groups) > 1
    for group in groups:
        assert max(Counter(entry.claim.pk for entry in group).values()) == 1


def test_each_row_is_sending_before_its_content_leaves_and_a_connection_has_only_one(
    server: ScriptedRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = campaign_of(server, 40)
    take, seen, most = server.take, [], []

    def look(message: Accepted) -> None:
        sending = Delivery.objects.filter(state="sending")
        seen.append(sending.filter(message_id=message.message_id).count())
        most.extend(
            sending.values_list("claim").annotate(n=Count("pk")).values_list("n", flat=True)
        )
        connection.close()
        take(message)

    monkeypatch.setattr(server, "take", look)
    send.send_batch(campaign.relay_id, "worker")
    assert states(campaign) == {"accepted": 40}
    assert seen == [1] * 40
    assert max(most) == 1


def test_a_connection_that_stalls_holds_up_no_other_one(server: ScriptedRelay) -> None:
    server.script.add(Rule("dot", Stall(30), "p0@*"))
    server.script.add(Rule("rcpt", Stall(30), "p1@*", first=1))
    campaign = campaign_of(server)
    begun = time.time()
    send.send_batch(campaign.relay_id, "worker")
    assert states(campaign) == {"accepted": 59, "in_doubt": 1}
    assert campaign.deliveries.get(state="in_doubt").address == "p0@example.com"
    quick = [message for message in server.accepted if message.ended - begun < 0.9]
    assert len(quick) >= 50, "they did not wait for the deadlines of those that stall"


def test_different_ends_of_one_moment_are_each_recorded(server: ScriptedRelay) -> None:
    server.script.add(Rule("dot", Say("550 5.1.1 no such user"), "p1*@*"))
    server.script.add(Rule("dot", Say("451 4.3.0 later"), "p2*@*"))
    server.script.add(Rule("rcpt", Say("550 5.7.1 no"), "p3*@*"))
    campaign = campaign_of(server)
    send.send_batch(campaign.relay_id, "worker")
    assert states(campaign) == {"accepted": 27, "refused": 22, "deferred": 11}
    for delivery in campaign.deliveries.prefetch_related("tries"):
        (attempt,) = delivery.tries.all()
        assert (attempt.code, attempt.enhanced) == (delivery.code, delivery.enhanced)
    assert not Claim.objects.filter(ended_at=None).exists()


def test_a_row_that_the_database_refuses_breaks_its_own_line_alone(
    server: ScriptedRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = campaign_of(server, 40)
    take = server.take

    def take_and_delete(message: Accepted) -> None:
        take(message)
        if message.rcpt_to == ("p9@example.com",):
            Delivery.objects.filter(address="p9@example.com").delete()
            connection.close()

    monkeypatch.setattr(server, "take", take_and_delete)
    with pytest.raises(IntegrityError):
        send.send_batch(campaign.relay_id, "worker")
    sent = {message.rcpt_to[0] for message in server.accepted} - {"p9@example.com"}
    accepted = campaign.deliveries.filter(state="accepted")
    assert set(accepted.values_list("address", flat=True)) == sent
    assert set(states(campaign)) <= {"accepted", "queued"}
    send.send_batch(campaign.relay_id, "worker")
    assert states(campaign) == {"accepted": 39}


def test_a_pause_lets_out_what_is_in_flight_and_nothing_more(
    server: ScriptedRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = campaign_of(server)
    take, paused, after = server.take, threading.Event(), []

    def take_and_pause(message: Accepted) -> None:
        if paused.is_set():
            after.append(message)
        take(message)
        if len(server.accepted) == 20:
            assert control.pause(campaign)
            paused.set()
            connection.close()

    monkeypatch.setattr(server, "take", take_and_pause)
    send.send_batch(campaign.relay_id, "worker")
    assert len(after) <= 2 * LINES
    sent = len(server.accepted)
    assert states(campaign) == {"accepted": sent, "queued": 60 - sent}


def test_a_batch_claims_again_and_keeps_its_connections(
    server: ScriptedRelay, settings: object
) -> None:
    settings.CLAIM_BATCH = 5
    campaign = campaign_of(server, 90)
    send.send_batch(campaign.relay_id, "worker")
    assert states(campaign) == {"accepted": 90}
    assert server.connections <= LINES


def test_few_rows_open_one_connection(server: ScriptedRelay) -> None:
    campaign = campaign_of(server, 10)
    send.send_batch(campaign.relay_id, "worker")
    assert states(campaign) == {"accepted": 10}
    assert server.connections == 1


class Waits:
    """A line that asks for something in the background, while another one breaks the loop."""

    def __init__(self, work: Background) -> None:
        self.work = work

    def script(self) -> Script:
        yield self.work

    def fileno(self) -> int:
        return -1


def test_what_is_opened_too_late_is_closed() -> None:
    go, discarded = threading.Event(), threading.Event()
    loop = LineLoop(lambda entries: [], lambda: 1 // 0 > 0)
    loop.add(Waits(Background(lambda: go.wait(5), lambda opened: discarded.set())))
    with pytest.raises(ZeroDivisionError):
        loop.run()
    go.set()
    assert discarded.wait(5)

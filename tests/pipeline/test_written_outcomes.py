"""A newsletter's outcomes survive a crash of the database server that lost the last commits.

What the crash loses is taken back by hand; that PostgreSQL loses it is PostgreSQL's own affair.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from campaigns.models import Attempt, Campaign, Claim, Delivery
from campaigns.models.template import Kind
from campaigns.pipeline import claim as claims
from campaigns.pipeline import control, send, sweep
from campaigns.pipeline.outcome import Entry, record
from campaigns.pipeline.written_outcomes import WrittenOutcomes
from tests import cast
from tests.fakes.relay_script import Rule, Say
from tests.fakes.scripted_relay import ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def campaign(server: ScriptedRelay) -> Campaign:
    """A running newsletter to three readers."""
    team = cast.a_team()
    template = cast.a_template(
        team, Kind.NEWSLETTER, subject="月报", html="<p>{{ 姓名 }}</p>", text="{{ 姓名 }}"
    )
    readers = cast.a_list(team, [f"r{number}@example.com" for number in range(3)])
    relay = cast.a_relay(team, server.port)
    return cast.launched(cast.a_campaign(relay, contact_list=readers, template=template))


def lost() -> None:
    """As after a crash: outcomes and `sending` are gone, the claim made by another server stays."""
    Attempt.objects.all().delete()
    claim = Claim.objects.get(ended_at=None)
    Claim.objects.update(server_started_at="before")
    Delivery.objects.update(state="queued", claim=claim, attempts=0, message_id="", code=None)


def after_the_second(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Something happens, and the connection breaks, once two outcomes are committed."""
    done: list[int] = []

    def recording(entries: list[Entry], lead: Claim, written: WrittenOutcomes) -> object:
        result = record(entries, lead, written)
        done.extend(1 for entry in entries if entry.tried)
        if len(done) == 2:
            happens()
            lead.server_started_at = "before"
            connection.close()
        return result

    monkeypatch.setattr(send, "record", recording)


def told(campaign: Campaign) -> dict[str, str]:
    return dict(campaign.deliveries.values_list("address", "state"))


def test_a_living_worker_writes_what_the_crash_took_and_sends_nothing_twice(
    campaign: Campaign, server: ScriptedRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script.add(Rule("dot", Say("550 5.7.1 no"), "r1@*"))
    after_the_second(monkeypatch, lost)
    send.send_batch(campaign.relay_id, "worker")
    assert told(campaign) == {
        "r0@example.com": "accepted",
        "r1@example.com": "refused",
        "r2@example.com": "accepted",
    }
    assert [message.rcpt_to for message in server.accepted] == [
        ("r0@example.com",),
        ("r2@example.com",),
    ]
    assert Attempt.objects.count() == 3
    assert not Delivery.objects.filter(message_id="").exists(), "a bounce may name it"
    assert Claim.objects.get().server_started_at == claims.server_started_at()


def test_what_the_crash_did_not_take_is_not_written_twice(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_the_second(monkeypatch, lambda: None)
    send.send_batch(campaign.relay_id, "worker")
    assert set(told(campaign).values()) == {"accepted"}
    assert Attempt.objects.count() == 3
    assert set(campaign.deliveries.values_list("attempts", flat=True)) == {1}


def test_a_row_that_was_cancelled_between_crash_and_repair_still_says_that_it_was_sent(
    campaign: Campaign, server: ScriptedRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost_and_cancelled() -> None:
        lost()
        control.cancel(campaign)

    after_the_second(monkeypatch, lost_and_cancelled)
    send.send_batch(campaign.relay_id, "worker")
    sent = {message.rcpt_to[0] for message in server.accepted}
    assert len(sent) == 3, "the third one's content was on its way already"
    assert {address for address, state in told(campaign).items() if state == "accepted"} == sent


def test_the_rows_of_a_worker_that_died_with_the_server_are_in_doubt(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claims.open_claim(campaign.relay_id, "dead")
    claims.take(claim, campaign.relay, 2)
    Claim.objects.update(lease_until=cast.long_ago(), server_started_at="before")
    monkeypatch.setattr(sweep, "server_is_new", lambda: True)
    assert sweep.end_dead_claims() == 0, "a living worker gets the time to come back"
    monkeypatch.setattr(sweep, "server_is_new", lambda: False)
    sweep.end_dead_claims()
    assert sorted(told(campaign).values()) == ["in_doubt", "in_doubt", "queued"]


def test_a_payslips_rows_were_committed_to_the_disk_and_are_free(server: ScriptedRelay) -> None:
    team = cast.a_team()
    payroll = cast.a_payroll(team, ["p0@example.com", "p1@example.com"])
    campaign = cast.launched(cast.a_campaign(cast.a_relay(team, server.port), payroll))
    claim = claims.open_claim(campaign.relay_id, "dead")
    claims.take(claim, campaign.relay, 2)
    Claim.objects.update(lease_until=cast.long_ago(), server_started_at="before")
    sweep.end_dead_claims()
    assert set(told(campaign).values()) == {"queued"}

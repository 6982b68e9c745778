"""A batch over one connection: every recipient accounted for, whatever the relay does.

The relay's own log is the truth; the rows must agree with it.
"""

from __future__ import annotations

import email
import email.policy
from collections import Counter

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import RelayLimit
from campaigns.models import Attempt, Campaign, Claim, Delivery, Suppression
from campaigns.models.delivery import DeliveryState
from campaigns.pipeline import control, counts, send, sweep
from tests import cast
from tests.fakes.relay_script import Drop, Reset, Rule, Say, Stall
from tests.fakes.scripted_relay import Accepted, RelayOptions, ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def campaign_of(server: ScriptedRelay, count: int = 5, **fields: object) -> Campaign:
    team = cast.a_team()
    cast.a_key(team)
    relay = cast.a_relay(team, server.port)
    addresses = [f"p{number}@example.com" for number in range(count)]
    workbook = cast.a_payroll(team, fields.pop("addresses", addresses))
    return cast.launched(cast.a_campaign(relay, workbook, **fields))


def run(campaign: Campaign, times: int = 1) -> None:
    for _ in range(times):
        send.send_batch(campaign.relay_id, "worker")


def states(campaign: Campaign) -> dict[str, int]:
    return dict(Counter(campaign.deliveries.values_list("state", flat=True)))


def of(campaign: Campaign, address: str) -> Delivery:
    return campaign.deliveries.get(address=address)


def test_each_row_becomes_one_signed_message_to_its_own_person(server: ScriptedRelay) -> None:
    campaign = campaign_of(server)
    run(campaign)
    assert states(campaign) == {"accepted": 5}
    assert sorted(message.rcpt_to[0] for message in server.accepted) == [
        f"p{number}@example.com" for number in range(5)
    ]
    for message in server.accepted:
        delivery = campaign.deliveries.get(message_id=message.message_id)
        read = email.message_from_bytes(message.content, policy=email.policy.default)
        assert message.rcpt_to == (delivery.address,)
        assert read["To"].addresses[0].addr_spec == delivery.address
        assert f"{8200 + delivery.row_number}.00" in read.get_body(("html",)).get_content()
        assert f"{8200 + delivery.row_number}.00" in read.get_body(("plain",)).get_content()
        assert read["DKIM-Signature"]
        assert read["List-Unsubscribe"] is None
        assert delivery.tries.get().code == 250


def test_all_of_a_batch_goes_over_one_connection(server: ScriptedRelay) -> None:
    campaign = campaign_of(server, 8)
    run(campaign)
    assert {message.connection for message in server.accepted} == {1}


def test_it_reconnects_after_as_many_messages_as_the_relay_allows(server: ScriptedRelay) -> None:
    campaign = campaign_of(server, 5)
    campaign.relay.per_connection = 2
    campaign.relay.save()
    run(campaign)
    per_connection = Counter(message.connection for message in server.accepted)
    assert sorted(per_connection.values()) == [1, 2, 2]


def test_one_refused_and_one_deferred_recipient_do_not_stop_the_rest(
    server: ScriptedRelay,
) -> None:
    server.script.add(Rule("rcpt", Say("550 5.1.1 no such user"), "p1@*"))
    server.script.add(Rule("rcpt", Say("451 4.7.1 greylisted"), "p3@*", first=1))
    campaign = campaign_of(server)
    run(campaign)
    assert states(campaign) == {"accepted": 3, "refused": 1, "deferred": 1}
    refused = of(campaign, "p1@example.com")
    assert (refused.code, refused.enhanced, refused.reason) == (550, "5.1.1", "userunknown")
    assert Suppression.objects.get().address_key == "p1@example.com"
    campaign.deliveries.update(due_at=timezone.now())
    run(campaign)
    deferred = of(campaign, "p3@example.com")
    assert deferred.state == "accepted"
    assert [attempt.code for attempt in deferred.tries.order_by("pk")] == [451, 250]


def test_the_message_id_is_the_same_at_the_second_try(server: ScriptedRelay) -> None:
    server.script.add(Rule("dot", Say("451 4.3.0 try again"), "p0@*", first=1))
    campaign = campaign_of(server, 1)
    run(campaign)
    before = of(campaign, "p0@example.com").message_id
    campaign.deliveries.update(due_at=timezone.now())
    run(campaign)
    assert before == server.accepted[0].message_id


def test_a_link_lost_after_the_final_dot_is_in_doubt_and_not_tried_again(
    server: ScriptedRelay,
) -> None:
    server.script.add(Rule("dot", Drop(), "p2@*", accept=True))
    campaign = campaign_of(server)
    run(campaign, 3)
    assert states(campaign) == {"accepted": 4, "in_doubt": 1}
    assert Counter(message.rcpt_to[0] for message in server.accepted)["p2@example.com"] == 1


def test_a_relay_that_never_answers_the_dot_leaves_one_in_doubt(server: ScriptedRelay) -> None:
    server.script.add(Rule("dot", Stall(30), "p2@*"))
    campaign = campaign_of(server)
    run(campaign, 2)
    assert states(campaign) == {"accepted": 4, "in_doubt": 1}


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data"])
def test_a_link_lost_before_the_content_costs_the_recipient_no_try(
    server: ScriptedRelay, phase: str
) -> None:
    server.script.add(Rule(phase, Reset(), "p1@*" if phase != "mail" else "*", first=1))
    campaign = campaign_of(server, 3)
    run(campaign)
    campaign.deliveries.filter(state="deferred").update(due_at=timezone.now())
    run(campaign, 2)
    assert states(campaign) == {"accepted": 3}
    assert {delivery.attempts for delivery in campaign.deliveries.all()} == {1}
    assert len(server.accepted) == 3


def test_a_throttle_reply_parks_the_relay_and_suppresses_nobody(server: ScriptedRelay) -> None:
    server.script.add(Rule("dot", Say("550 Connection frequency limited"), "p1@*", first=1))
    campaign = campaign_of(server, 4)
    run(campaign)
    campaign.relay.refresh_from_db()
    assert campaign.relay.parked_until > timezone.now()
    assert not Suppression.objects.exists()
    assert states(campaign) == {"accepted": 1, "queued": 3}
    run(campaign)
    assert len(server.accepted) == 1, "a parked relay sends nothing"


def test_a_wrong_password_disables_the_relay_and_fails_no_row() -> None:
    with ScriptedRelay(RelayOptions(accounts={"hr": "right"})) as server:
        campaign = campaign_of(server, 3)
        campaign.relay.username, campaign.relay.secret = "hr", "wrong"
        campaign.relay.save()
        run(campaign)
    campaign.relay.refresh_from_db()
    assert not campaign.relay.enabled
    assert campaign.relay.park_reason == "auth_refused"
    assert states(campaign) == {"queued": 3}


def test_a_spam_verdict_holds_the_campaign(server: ScriptedRelay) -> None:
    server.script.add(Rule("dot", Say("554 DT:SPM 163 smtp1"), "p0@*"))
    campaign = campaign_of(server, 3)
    run(campaign)
    campaign.refresh_from_db()
    assert campaign.hold_reason == "content_verdict"
    assert server.accepted == []
    assert not Suppression.objects.exists()


def test_a_poison_row_fails_alone_and_names_its_cell(server: ScriptedRelay) -> None:
    campaign = campaign_of(server, 3)
    row = of(campaign, "p1@example.com").row
    key = campaign.workbook.data_key
    opened = key.open_json(row.sealed)
    opened["values"][5] = None
    row.sealed = key.seal_json(opened)
    row.save()
    run(campaign)
    failed = of(campaign, "p1@example.com")
    assert (failed.state, failed.reason, failed.detail) == (
        "failed",
        "unreadable_cell",
        f"11月!F{row.number}",
    )
    assert states(campaign) == {"accepted": 2, "failed": 1}


def test_no_second_holds_more_than_the_limit(server: ScriptedRelay) -> None:
    campaign = campaign_of(server, 12)
    RelayLimit.objects.create(team=campaign.team, relay=campaign.relay, window="second", amount=5)
    run(campaign)
    assert states(campaign) == {"accepted": 12}
    times = sorted((message.started, message.ended) for message in server.accepted)
    for started, _ended in times:
        inside = [s for s, ended in times if s <= started < ended + 1.0 and s <= started]
        assert len(inside) <= 5


def test_a_day_limit_lets_the_relay_rest(server: ScriptedRelay) -> None:
    campaign = campaign_of(server, 5)
    RelayLimit.objects.create(team=campaign.team, relay=campaign.relay, window="day", amount=2)
    run(campaign, 2)
    campaign.relay.refresh_from_db()
    assert campaign.relay.resting_until > timezone.now()
    assert len(server.accepted) == 2
    assert states(campaign) == {"accepted": 2, "queued": 3}
    assert not campaign.deliveries.exclude(claim=None).exists()


def test_a_refusal_before_the_content_gives_its_permit_back(server: ScriptedRelay) -> None:
    server.script.add(Rule("rcpt", Say("550 5.1.1 unknown"), "p0@*"))
    campaign = campaign_of(server, 3)
    RelayLimit.objects.create(team=campaign.team, relay=campaign.relay, window="day", amount=2)
    run(campaign, 2)
    assert states(campaign) == {"refused": 1, "accepted": 2}


def test_pausing_in_the_middle_lets_at_most_the_one_in_flight_out(
    server: ScriptedRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = campaign_of(server, 6)
    take = server.take

    def take_and_pause(message: Accepted) -> None:
        take(message)
        control.pause(campaign)
        connection.close()  # the relay's thread has one of its own

    monkeypatch.setattr(server, "take", take_and_pause)
    run(campaign)
    assert len(server.accepted) <= 2
    sent = len(server.accepted)
    campaign.refresh_from_db()
    assert campaign.state == "paused"
    assert states(campaign) == {"accepted": sent, "queued": 6 - sent}
    monkeypatch.undo()
    assert control.resume(campaign)
    run(campaign)
    assert len(server.accepted) == 6
    assert len({message.rcpt_to for message in server.accepted}) == 6


def test_a_cancelled_campaign_sends_nothing_more(server: ScriptedRelay) -> None:
    campaign = campaign_of(server, 3)
    assert control.cancel(campaign)
    run(campaign)
    assert server.accepted == []
    assert states(campaign) == {"cancelled": 3}
    assert not control.resume(campaign)


def test_two_batches_at_once_never_take_the_same_row(server: ScriptedRelay) -> None:
    campaign = campaign_of(server, 4)
    from campaigns.pipeline.claim import open_claim, take

    campaign.relay.max_connections = 2
    campaign.relay.save()
    first, second = (open_claim(campaign.relay_id, name) for name in "ab")
    taken, _ = take(first, campaign.relay, 3)
    others, _ = take(second, campaign.relay, 3)
    assert len(taken) == 3
    assert len(others) == 1
    assert open_claim(campaign.relay_id, "c") is None, "no third connection"


def test_a_dead_worker_leaves_one_in_doubt_and_frees_the_rest(server: ScriptedRelay) -> None:
    campaign = campaign_of(server, 4)
    from campaigns.pipeline.claim import begin, open_claim, take

    claim = open_claim(campaign.relay_id, "dead")
    deliveries, _ = take(claim, campaign.relay, 10)
    deliveries[0].message_id = "<x@corp.example.com>"
    assert begin(claim, deliveries[0])
    Claim.objects.filter(pk=claim.pk).update(lease_until=cast.long_ago())
    assert not begin(claim, deliveries[1]), "a lease that ran out begins nothing"
    assert sweep.end_dead_claims() == 1
    assert states(campaign) == {"in_doubt": 1, "queued": 3}
    run(campaign)
    sweep.sweep()
    campaign.refresh_from_db()
    assert states(campaign) == {"in_doubt": 1, "accepted": 3}
    assert campaign.state == "finished"


def test_a_person_resolves_the_doubt_and_the_campaign_runs_again(server: ScriptedRelay) -> None:
    server.script.add(Rule("dot", Drop(), "p0@*", first=1))
    campaign = campaign_of(server, 1)
    run(campaign)
    sweep.sweep()
    doubtful = of(campaign, "p0@example.com")
    assert doubtful.state == "in_doubt"
    assert control.resolve_doubt(doubtful, resend=True, note="问过本人，没有收到")
    assert not control.resolve_doubt(doubtful, resend=True, note="again"), "once"
    run(campaign)
    assert server.accepted[0].message_id == doubtful.message_id
    sweep.sweep()
    campaign.refresh_from_db()
    assert campaign.state == "finished"


def test_a_test_goes_to_the_tester_alone_and_stays_out_of_the_counts(
    server: ScriptedRelay,
) -> None:
    team = cast.a_team()
    cast.a_key(team)
    relay = cast.a_relay(team, server.port)
    workbook = cast.a_payroll(team, ["employee@example.com"])
    campaign = cast.a_campaign(relay, workbook)
    row = workbook.rows.get()
    sample = Delivery(source_key="r4.1", row=row, row_number=4, address=row.address)
    control.send_test(campaign, sample, "me@corp.example.com", "me@corp.example.com")
    send.send_batch(relay.pk, "worker")
    (message,) = server.accepted
    assert message.rcpt_to == ("me@corp.example.com",)
    read = email.message_from_bytes(message.content, policy=email.policy.default)
    assert read["To"] == "me@corp.example.com"
    assert read["Subject"].startswith("[测试]")
    assert "8204.00" in read.get_body(("html",)).get_content()
    assert counts.recount(campaign.pk) == {"bounced": 0}


def test_a_newsletter_obeys_suppressions_made_after_its_plan(server: ScriptedRelay) -> None:
    team = cast.a_team()
    relay = cast.a_relay(team, server.port)
    readers = cast.a_list(team, ["a@example.com", "b@example.com", "c@example.com"])
    template = cast.a_template(
        team,
        "newsletter",
        subject="新闻",
        html='<p>你好 <a href="{{ unsubscribe_url }}">退订</a></p>',
    )
    campaign = cast.launched(cast.a_campaign(relay, contact_list=readers, template=template))
    Suppression.objects.create(
        team=team, address="b@example.com", address_key="b@example.com", reason="manual"
    )
    readers.members.filter(contact__address="c@example.com").update(status="unsubscribed")
    send.send_batch(relay.pk, "worker")
    (message,) = server.accepted
    assert message.rcpt_to == ("a@example.com",)
    read = email.message_from_bytes(message.content, policy=email.policy.default)
    assert read["List-Unsubscribe"].startswith("<https://hongyan.example/u/")
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    reasons = dict(campaign.deliveries.values_list("address", "reason"))
    assert reasons["b@example.com"] == "suppression"
    assert reasons["c@example.com"] == "unsubscribed"
    assert states(campaign) == {"accepted": 1, "suppressed": 2}


def test_an_expired_row_ends_without_being_sent(server: ScriptedRelay) -> None:
    campaign = campaign_of(server, 2)
    campaign.deliveries.filter(address="p0@example.com").update(deliver_until=cast.long_ago())
    run(campaign)
    assert states(campaign) == {"expired": 1, "accepted": 1}


def test_a_payslips_reply_text_is_sealed(server: ScriptedRelay) -> None:
    server.script.add(Rule("dot", Say("550 5.7.1 rejected: 工资8888.88"), "p0@*"))
    campaign = campaign_of(server, 1)
    run(campaign)
    attempt = Attempt.objects.get()
    assert attempt.text == ""
    assert b"8888.88" not in bytes(attempt.sealed_text)
    assert "8888.88" in campaign.workbook.data_key.open(attempt.sealed_text).decode()


def test_counts_follow_the_rows(server: ScriptedRelay) -> None:
    server.script.add(Rule("rcpt", Say("550 5.1.1 unknown"), "p0@*"))
    campaign = campaign_of(server, 4)
    run(campaign)
    stored = {state: number for state, number in campaign.counts.items() if number}
    assert stored == {"accepted": 3, "refused": 1}
    assert {k: v for k, v in counts.recount(campaign.pk).items() if v} == stored


def test_it_says_which_states_it_leaves(server: ScriptedRelay) -> None:
    campaign = campaign_of(server, 3)
    run(campaign)
    sweep.sweep()
    campaign.refresh_from_db()
    assert campaign.state == "finished"
    open_states = {DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED}
    assert not open_states & set(states(campaign))

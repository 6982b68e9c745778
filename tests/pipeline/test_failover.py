"""Several relays: shares by weight, and work that leaves a relay which is away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Relay
from campaigns.models import (
    Attempt,
    Campaign,
    CampaignEvent,
    CampaignRelay,
    CampaignStop,
    Delivery,
    DeliveryEvent,
)
from campaigns.pipeline import failover, plan, send, sweep, work
from campaigns.pipeline.claim import open_claim, take
from campaigns.pipeline.shares import turns
from tests import cast
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=6))
def test_every_relay_has_its_share_at_any_moment_within_one(weights: list[int]) -> None:
    had = [0] * len(weights)
    for number, index in enumerate(turns(weights), start=1):
        had[index] += 1
        for weight, so_far in zip(weights, had, strict=True):
            assert abs(so_far - number * weight / sum(weights)) < 1


def several(
    weights: Sequence[int], count: int = 20, ports: Sequence[int] = (), **fields: Any
) -> tuple[Campaign, list[Relay]]:
    """A launched payslip campaign of relays A, B, …"""
    team = cast.a_team()
    cast.a_key(team)
    ports = ports or [1] * len(weights)
    relays = [cast.a_relay(team, port, name="ABCDEF"[index]) for index, port in enumerate(ports)]
    workbook = cast.a_payroll(team, [f"p{number}@example.com" for number in range(count)])
    campaign = cast.a_campaign(relays[0], workbook, **fields)
    for relay, weight in zip(relays, weights, strict=True):
        CampaignRelay.objects.create(team=team, campaign=campaign, relay=relay, weight=weight)
    return cast.launched(campaign), relays


def carried(campaign: Campaign) -> dict[str, int]:
    """How many deliveries of any state each relay has."""
    return dict(Counter(campaign.deliveries.values_list("relay__name", flat=True)))


def park(relay: Relay, seconds: float, reason: str = "relay_busy") -> None:
    until = timezone.now() + timedelta(seconds=seconds)
    Relay.objects.filter(pk=relay.pk).update(parked_until=until, park_reason=reason)


def wait_out(relay: Relay) -> None:
    Relay.objects.filter(pk=relay.pk).update(parked_until=None)


def test_a_plan_shares_by_weight_exactly_whatever_its_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "SQLITE_CHUNK", 3)
    campaign, _relays = several([5, 3, 2], 25)
    got = carried(campaign)
    assert abs(got["A"] - 12.5) < 1
    assert abs(got["B"] - 7.5) < 1
    assert got["C"] == 5
    rows = campaign.deliveries.order_by("pk")
    assert [row.row_number for row in rows] == list(range(4, 29)), "in the order of the sheet"


def test_a_plan_that_was_cut_off_gives_nobody_another_relay() -> None:
    campaign, _relays = several([2, 1], 9)
    before = dict(campaign.deliveries.values_list("source_key", "relay"))
    campaign.deliveries.filter(source_key__in=list(before)[3:]).delete()
    Campaign.objects.filter(pk=campaign.pk).update(planned_at=None, plan_lease_until=None)
    assert plan.plan(campaign.pk)
    assert dict(campaign.deliveries.values_list("source_key", "relay")) == before


def test_each_relay_is_given_work_and_claims_its_own_alone() -> None:
    campaign, relays = several([1, 1])
    assert {relay for relay, _slots in work.relays_with_work()} == {one.pk for one in relays}
    claim = open_claim(relays[1].pk, "worker")
    assert claim is not None
    rows, _ended = take(claim, relays[1], 100)
    assert len(rows) == 10
    assert {row.relay_id for row in rows} == {relays[1].pk}
    assert campaign.deliveries.filter(claim=None).count() == 10


@pytest.mark.parametrize("how", ["disabled", "parked"])
def test_the_waiting_work_of_a_relay_that_is_away_moves_and_says_why(how: str) -> None:
    campaign, (a, b, c) = several([2, 1, 1])
    if how == "disabled":
        Relay.objects.filter(pk=a.pk).update(enabled=False)
    else:
        park(a, 600)
    sweep.sweep()
    assert carried(campaign) == {"B": 10, "C": 10}
    events = list(CampaignEvent.objects.filter(campaign=campaign).order_by("relay_to"))
    assert [(one.relay_from, one.relay_to, one.number) for one in events] == [
        (a, b, 5),
        (a, c, 5),
    ]
    reason = "relay_disabled" if how == "disabled" else "relay_busy"
    assert {one.reason for one in events} == {reason}
    assert DeliveryEvent.objects.filter(event__campaign=campaign).count() == 10
    sweep.sweep()
    assert CampaignEvent.objects.count() == 2, "nothing more to move"


def test_a_short_park_moves_nothing_but_one_after_the_other_does() -> None:
    campaign, (a, _b) = several([1, 1])
    park(a, 50)
    assert failover.move_stranded() == 0
    long_ago = timezone.now() - timedelta(seconds=70)
    CampaignRelay.objects.filter(relay=a).update(trouble_since=long_ago)
    park(a, 50)
    assert failover.move_stranded() == 10
    assert carried(campaign) == {"B": 20}


def test_what_may_have_arrived_never_moves() -> None:
    """Claimed, sending, ever in doubt, lost with a worker, settled by a person: all stay."""
    campaign, (a, _b) = several([1, 1])
    mine = list(campaign.deliveries.filter(relay=a).order_by("pk"))
    claim = open_claim(a.pk, "worker")
    Delivery.objects.filter(pk=mine[0].pk).update(claim=claim)
    Delivery.objects.filter(pk=mine[1].pk).update(claim=claim, state="sending")
    Delivery.objects.filter(pk=mine[2].pk).update(reason="worker_lost")
    Delivery.objects.filter(pk=mine[3].pk).update(resolved_note="再发一次 — alice")
    tried(mine[4], a, "in_doubt")
    Delivery.objects.filter(pk=mine[5].pk).update(state="in_doubt")
    tried(mine[6], a, "deferred")
    Delivery.objects.filter(pk=mine[6].pk).update(state="deferred", reason="greylisted")
    park(a, 600)
    assert failover.move_stranded() == 4, "also the one that was only told to come later"
    assert set(campaign.deliveries.filter(relay=a)) == set(mine[:6])


def tried(delivery: Delivery, relay: Relay, outcome: str) -> None:
    now = timezone.now()
    Attempt.objects.create(
        team=delivery.team,
        delivery=delivery,
        relay=relay,
        started_at=now,
        ended_at=now,
        phase="content",
        outcome=outcome,
        content_began=True,
    )


def test_nothing_moves_to_a_relay_that_refuses_the_from_address_or_stands_still_itself() -> None:
    campaign, (a, b, c) = several([1, 1, 1], 9)
    Relay.objects.filter(pk=b.pk).update(from_addresses=["other@elsewhere.example"])
    park(a, 600)
    park(c, 50)
    assert failover.move_stranded() == 0
    wait_out(c)
    failover.move_stranded()
    assert carried(campaign) == {"B": 3, "C": 6}


def test_what_a_stop_rule_stopped_on_a_relay_does_not_slip_out_through_another() -> None:
    campaign, (a, _b) = several([1, 1])
    CampaignStop.objects.create(
        team=campaign.team, campaign=campaign, relay=a, rule="bounces", figures={}
    )
    park(a, 600)
    assert failover.move_stranded() == 0
    CampaignStop.objects.update(domain="example.com")
    assert failover.move_stranded() == 0
    CampaignStop.objects.update(lifted_at=timezone.now())
    assert failover.move_stranded() == 10


def test_a_relay_that_comes_back_is_tried_and_then_shares_what_still_waits() -> None:
    campaign, (a, b) = several([1, 1], 40)
    park(a, 600)
    failover.move_stranded()
    done = list(campaign.deliveries.order_by("pk")[:10])
    Delivery.objects.filter(pk__in=[row.pk for row in done]).update(state="accepted")
    wait_out(a)
    failover.move_stranded()
    assert carried(campaign) == {"A": failover.TRIAL, "B": 40 - failover.TRIAL}
    failover.move_stranded()
    assert carried(campaign)["A"] == failover.TRIAL, "no more before it took one"
    tried(campaign.deliveries.filter(relay=a).first(), a, "accepted")
    failover.move_stranded()
    waiting = campaign.deliveries.filter(state="queued")
    assert waiting.filter(relay=a).count() == 15
    assert not campaign.deliveries.filter(state="accepted").exclude(relay=b).exists()
    assert failover.move_stranded() == 0


def test_a_relay_that_dies_on_trial_loses_only_the_trial_again() -> None:
    campaign, (a, _b) = several([1, 1])
    park(a, 600)
    failover.move_stranded()
    wait_out(a)
    failover.move_stranded()
    park(a, 50)
    CampaignRelay.objects.filter(relay=a).update(
        trouble_since=timezone.now() - timedelta(minutes=5)
    )
    assert failover.move_stranded() == failover.TRIAL
    assert carried(campaign) == {"B": 20}


def test_two_real_relays_one_of_which_dies_half_way_reach_everybody_once() -> None:
    """F6 with two relays: it took three, then is gone; the other takes the rest, and rows say so."""
    with ScriptedRelay(RelayOptions()) as first, ScriptedRelay(RelayOptions()) as second:
        campaign, (a, b) = several([1, 1], 20, [first.port, second.port])
        Relay.objects.filter(pk=a.pk).update(per_connection=3)
        claim_of_three(a)
        first.stop()
        send.send_batch(a.pk, "worker")  # nobody answers: parked
        a.refresh_from_db()
        assert a.parked_until is not None
        sweep.sweep()
        moved = set(DeliveryEvent.objects.values_list("delivery", flat=True))
        assert moved == set(campaign.deliveries.filter(relay=b).values_list("pk", flat=True)) - set(
            campaign.deliveries.filter(relay=b, events=None).values_list("pk", flat=True)
        )
        assert moved
        while send.send_batch(b.pk, "worker"):
            pass
        sweep.sweep()
        campaign.refresh_from_db()
        got = Counter(
            address
            for server in (first, second)
            for one in server.accepted
            for address in one.rcpt_to
        )
        assert got == Counter(f"p{number}@example.com" for number in range(20))
        assert campaign.state == "finished"
        assert len(first.accepted) == 3
        mine = CampaignRelay.objects.get(relay=a)
        assert mine.counts == {"accepted": 3}


def claim_of_three(relay: Relay) -> None:
    """A batch that ends after three messages, as one that is asked to stop does."""
    sent = 0

    def stop() -> bool:
        nonlocal sent
        sent = Attempt.objects.filter(relay=relay).count()
        return sent >= 3

    send.send_batch(relay.pk, "worker", stop)

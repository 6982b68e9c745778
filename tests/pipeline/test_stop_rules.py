"""Stop rules: too many bounces, complaints or like refusals stop what fails, and only that."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Relay
from campaigns.models import Attempt, Campaign, CampaignRelay, CampaignStop, Delivery, Feedback
from campaigns.models.campaign import Hold
from campaigns.pipeline import control, counts, stop_rules, work
from campaigns.pipeline.claim import begin, open_claim, take
from tests import cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def a_campaign(*domains: str, number: int = 120, relays: int = 1, **fields: object) -> Campaign:
    """A newsletter to so many people of these domains in turn, through so many relays."""
    team = cast.a_team()
    made = [cast.a_relay(team, name=f"账号{index}") for index in range(relays)]
    readers = cast.a_list(team, [f"p{n}@{domains[n % len(domains)]}" for n in range(number)])
    campaign = cast.a_campaign(made[0], contact_list=readers, **fields)
    for relay in made if relays > 1 else []:
        CampaignRelay.objects.create(team=team, campaign=campaign, relay=relay)
    return cast.launched(campaign)


def end(rows: list[Delivery], state: str, reason: str = "", text: str = "") -> None:
    """These came to that now, each by an attempt."""
    now = timezone.now()
    for row in rows:
        Delivery.objects.filter(pk=row.pk).update(state=state, reason=reason, changed_at=now)
        Attempt.objects.create(
            team_id=row.team_id,
            delivery=row,
            relay_id=row.relay_id,
            started_at=now,
            ended_at=now,
            phase="content",
            outcome=state,
            content_began=True,
            code=550 if state == "refused" else 250,
            text=text.format(row.pk),
        )
    for campaign in {row.campaign_id for row in rows}:
        counts.recount(campaign)


def report(rows: list[Delivery], kind: str) -> None:
    for row in rows:
        Feedback.objects.create(
            team_id=row.team_id,
            kind=kind,
            delivery=row,
            campaign_id=row.campaign_id,
            proof="return_path",
            address=row.address,
            address_key=row.address_key,
        )
        counts.recount(row.campaign_id)


def rows_of(campaign: Campaign) -> list[Delivery]:
    return list(campaign.deliveries.order_by("pk"))


def test_one_of_two_stops_nothing_and_neither_does_a_usual_share() -> None:
    campaign = a_campaign("a.example", "b.example")
    rows = rows_of(campaign)
    end(rows[:1], "refused", "userunknown")
    end(rows[1:2], "accepted")
    assert stop_rules.judge() == 0
    end(rows[2:7], "refused", "userunknown")
    end(rows[7:70], "accepted")
    assert stop_rules.judge() == 0


def test_bounces_here_and_there_hold_the_campaign_with_figures_and_the_rows_behind() -> None:
    campaign = a_campaign("a.example", "b.example", stop_bounce_percent=10)
    rows = rows_of(campaign)
    end(rows[:60], "accepted")
    report(rows[:4], "bounce")
    end(rows[60:64], "refused", "userunknown")
    assert stop_rules.judge() == 1
    campaign.refresh_from_db()
    assert campaign.hold_reason == Hold.STOP_RULE
    stop = CampaignStop.objects.get()
    assert (stop.rule, stop.relay, stop.domain) == ("bounces", None, "")
    assert stop.figures["number"] == 8
    assert stop.figures["of"] == 64
    assert stop.figures["limit"] == 10
    assert {row.pk for row in stop_rules.named(stop)} == {r.pk for r in [*rows[:4], *rows[60:64]]}
    assert not list(work.relays_with_work())


def test_a_lifted_rule_does_not_fire_again_for_what_was_there_nor_for_its_late_reports() -> None:
    campaign = a_campaign("a.example", "b.example", number=300)
    rows = rows_of(campaign)
    end(rows[:60], "accepted")
    report(rows[:10], "bounce")
    assert stop_rules.judge() == 1
    assert control.resume(campaign, None)
    assert CampaignStop.objects.get().lifted_at is not None
    assert stop_rules.judge() == 0
    end(rows[60:120], "accepted")
    report(rows[10:30], "bounce")
    assert stop_rules.judge() == 0, "reports of what was sent before"
    report(rows[60:80], "bounce")
    assert stop_rules.judge() == 1


def test_a_domain_that_fails_on_one_relay_stops_there_alone_also_what_is_claimed() -> None:
    campaign = a_campaign("good.example", "bad.example", relays=2)
    Relay.objects.update(max_connections=5)
    rows = rows_of(campaign)
    a = campaign.relay
    bad = [row for row in rows if row.domain == "bad.example" and row.relay_id == a.pk]
    good = [row for row in rows if row.domain == "good.example"]
    if not bad:  # the turns of two relays and two domains fall together
        a = CampaignRelay.objects.exclude(relay=a).get().relay
        bad = [row for row in rows if row.domain == "bad.example" and row.relay_id == a.pk]
    Delivery.objects.filter(pk__in=[row.pk for row in good[:10]]).update(relay=a)
    claim = open_claim(a.pk, "worker")
    assert claim is not None
    claimed, _ended = take(claim, a, 10)
    end(good[20:60], "accepted")
    end([row for row in bad if row not in claimed][:15], "refused", "userunknown")
    assert stop_rules.judge() == 1
    stop = CampaignStop.objects.get()
    assert (stop.relay, stop.domain) == (a, "bad.example")
    campaign.refresh_from_db()
    assert campaign.hold_reason == "", "the others go on"
    mine = [row for row in claimed if row.domain == "bad.example"]
    assert mine
    assert not any(begin(claim, row) for row in mine), "claimed, but not begun"
    again = open_claim(a.pk, "another")
    assert again is not None
    taken, _ended = take(again, a, 100)
    assert {row.domain for row in taken} == {"good.example"}
    assert stop_rules.lift(stop, None)
    assert not stop_rules.lift(stop, None)
    assert stop_rules.judge() == 0


def test_a_relay_that_fails_stops_and_the_campaign_goes_on_through_the_other() -> None:
    campaign = a_campaign("a.example", "b.example", "c.example", relays=2, stop_refusals=10)
    first = campaign.relay
    rows = [row for row in rows_of(campaign) if row.relay_id == first.pk]
    end(rows[:9], "refused", "refused", "Message {0} from p@x.example refused by policy DT:1{0}")
    assert stop_rules.judge() == 0
    end(rows[9:10], "refused", "refused", "message 77 from q@y.example refused by policy DT:9")
    assert stop_rules.judge() == 1
    stop = CampaignStop.objects.get()
    assert (stop.rule, stop.relay, stop.domain) == ("same_refusal", first, "")
    assert stop.figures["reply"] == "550 message # from # refused by policy #"
    assert [relay for relay, _slots in work.relays_with_work()] != [first.pk]
    assert first.pk not in dict(work.relays_with_work())


def test_the_same_refusal_must_come_within_minutes_and_dead_addresses_are_no_such_thing() -> None:
    campaign = a_campaign("a.example", "b.example", stop_refusals=5, stop_bounce_percent=None)
    rows = rows_of(campaign)
    end(rows[:6], "refused", "userunknown", "no such user")
    assert stop_rules.judge() == 0
    end(rows[6:12], "refused", "refused", "go away")
    Campaign.objects.update(launched_at=timezone.now() - timedelta(hours=1))
    Attempt.objects.update(started_at=timezone.now() - timedelta(minutes=11))
    assert stop_rules.judge() == 0
    Attempt.objects.update(started_at=timezone.now() - timedelta(minutes=9))
    assert stop_rules.judge() == 1


def test_complaints_stop_and_a_rule_that_is_off_stops_nothing() -> None:
    campaign = a_campaign("a.example", "b.example")
    rows = rows_of(campaign)
    end(rows[:100], "accepted")
    report(rows[:3], "complaint")
    Campaign.objects.update(stop_complaint_percent=None)
    assert stop_rules.judge() == 0
    Campaign.objects.update(stop_complaint_percent="2.5")
    assert stop_rules.judge() == 1
    assert CampaignStop.objects.get().rule == "complaints"


def test_a_tick_asks_as_many_questions_for_twenty_campaigns_as_for_one(
    django_assert_max_num_queries: object,
) -> None:
    one = a_campaign("a.example", number=2)
    for _number in range(20):
        one.pk = None
        one.save()
    assert Campaign.objects.filter(state="running").count() == 21
    with django_assert_max_num_queries(6):
        stop_rules.judge()

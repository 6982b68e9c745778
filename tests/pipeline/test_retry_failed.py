"""Retry of what failed: the chosen groups, to the same people, never what may have arrived."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import Attempt, Campaign, CampaignEvent, Delivery, DeliveryEvent
from campaigns.pipeline import control, counts, destroy, retry_failed, sweep
from tests import cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def campaign() -> Campaign:
    """Finished: two accepted, three failed, two refused, one expired, one in doubt, one was in doubt."""
    team = cast.a_team()
    user = cast.a_user(team)
    workbook = cast.a_payroll(team, [f"p{number}@example.com" for number in range(10)])
    made = cast.launched(cast.a_campaign(cast.a_relay(team), workbook), user)
    ends = [
        *[("accepted", "")] * 2,
        *[("failed", "empty_field")] * 3,
        ("refused", "userunknown"),
        ("refused", "spamdetected"),
        ("expired", "deliver_until"),
        ("in_doubt", "lost"),
        ("expired", "deliver_until"),
    ]
    rows = list(made.deliveries.order_by("pk"))
    for row, (state, reason) in zip(rows, ends, strict=True):
        Delivery.objects.filter(pk=row.pk).update(
            state=state, reason=reason, message_id=f"<{row.pk}@x>", attempts=3, detail="E7"
        )
    now = timezone.now()
    Attempt.objects.create(
        team=team,
        delivery=rows[-1],
        relay=made.relay,
        started_at=now,
        ended_at=now,
        phase="content",
        outcome="in_doubt",
        content_began=True,
    )
    counts.recount(made.pk)
    sweep.finish()
    made.refresh_from_db()
    assert made.state == "finished"
    return made


def test_it_says_what_failed_and_why_and_leaves_out_what_may_have_arrived(
    campaign: Campaign,
) -> None:
    found = {group.key: (group.number, group.dead) for group in retry_failed.groups(campaign)}
    assert found == {
        "failed:empty_field": (3, False),
        "refused:userunknown": (1, True),
        "refused:spamdetected": (1, False),
        "expired:deliver_until": (1, False),
    }


def test_the_chosen_ones_are_queued_with_their_history_and_the_others_stay(
    campaign: Campaign,
) -> None:
    chosen = ["failed:empty_field", "expired:deliver_until"]
    assert retry_failed.begin(campaign, chosen, campaign.launched_by) == 4
    assert retry_failed.begin(campaign, chosen, campaign.launched_by) == 0, "a second click"
    sweep.finish()
    campaign.refresh_from_db()
    assert campaign.state == "running", "not finished again before a tick queued them"
    sweep.sweep()
    assert campaign.counts["queued"] == 4
    assert campaign.counts["accepted"] == 2
    assert campaign.counts["refused"] == 2
    row = campaign.deliveries.filter(state="queued").first()
    assert (row.attempts, row.reason, row.detail) == (0, "", "")
    assert row.message_id == f"<{row.pk}@x>", "the same message"
    assert row.deliver_until > timezone.now() + timedelta(hours=20)
    past = row.events.get()
    assert (past.state, past.reason, past.detail) == ("failed", "empty_field", "E7")
    event = CampaignEvent.objects.get()
    assert event.number == 4
    assert event.user == campaign.launched_by
    assert event.done_at is not None


def test_what_fails_again_waits_for_a_new_decision(campaign: Campaign) -> None:
    retry_failed.begin(campaign, ["failed:empty_field"], None)
    sweep.sweep()
    again = campaign.deliveries.filter(state="queued")
    again.update(state="failed", reason="empty_field", changed_at=timezone.now())
    sweep.sweep()
    assert DeliveryEvent.objects.count() == 3
    assert retry_failed.begin(campaign, ["failed:empty_field"], None) == 3


def test_an_unknown_group_or_a_campaign_that_is_over_for_good_queues_nothing(
    campaign: Campaign,
) -> None:
    assert retry_failed.begin(campaign, ["accepted:", "in_doubt:lost", "x"], None) == 0
    Campaign.objects.filter(pk=campaign.pk).update(recalled_at=timezone.now())
    campaign.refresh_from_db()
    assert retry_failed.groups(campaign) == []


def test_a_cancel_ends_a_retry_that_is_being_worked_off(campaign: Campaign) -> None:
    assert retry_failed.begin(campaign, ["failed:empty_field"], None) == 3
    control.cancel(campaign)
    sweep.sweep()
    assert not campaign.deliveries.filter(state="queued").exists()
    assert CampaignEvent.objects.get().done_at is not None


def test_a_payslip_whose_content_is_gone_is_not_tried_again(campaign: Campaign) -> None:
    campaign.deliveries.filter(state="in_doubt").update(state="accepted")
    assert destroy.destroy(campaign.workbook) == []
    campaign = Campaign.objects.get(pk=campaign.pk)
    assert retry_failed.groups(campaign) == []


def test_a_payslip_that_was_sent_again_by_hand_is_left_out(campaign: Campaign) -> None:
    row = campaign.deliveries.filter(reason="empty_field").first()
    again = Delivery.objects.get(pk=row.pk)
    again.pk, again.purpose, again.state = None, "resend", "accepted"
    again.save()
    groups = {group.key: group.number for group in retry_failed.groups(campaign)}
    assert groups["failed:empty_field"] == 2

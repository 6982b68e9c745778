"""Suppressing by itself: soft bounces that add up, and the cap above which a person decides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import BounceMailbox, Team, User
from campaigns.mailer.bounce import read
from campaigns.models import Alert, Delivery, Feedback, HeldSuppression, Suppression
from campaigns.models.alert import AlertKind
from campaigns.models.feedback import SuppressionReason
from campaigns.pipeline import alert_watch, recording
from campaigns.pipeline.suppress import accept_held, drop_held, suppress, suppress_refused
from tests.cast import a_team, a_user
from tests.pipeline.returned_mail import (
    a_bounce,
    a_delivery,
    a_mailbox,
    a_sent_campaign,
    return_path,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

FULL = {"status": "4.2.2", "reply": "452 4.2.2 The email account is over quota"}
BLOCKED = {"status": "5.7.1", "reply": "554 5.7.1 Blocked by spam filter"}


@pytest.fixture
def team() -> Team:
    return a_team()


@pytest.fixture
def mailbox(team: Team) -> BounceMailbox:
    return a_mailbox(team)


def bounce(mailbox: BounceMailbox, delivery: Delivery, **how: str) -> None:
    raw = a_bounce(delivery.address, to=return_path(delivery), **how)
    number = Feedback.objects.count()
    judged = recording.judge(recording.Source.of(mailbox), read(raw))
    # Each has a time of its own.
    raw = f"Date: Mon, 24 Nov 2026 08:00:{number:02} +0800\r\n".encode() + raw
    recording.record(mailbox, f"u{number}", judged, recording.Fetched(raw))


def deliveries(team: Team, number: int, address: str = "li@corp.example") -> list[Delivery]:
    return [a_delivery(a_sent_campaign(team), address) for _ in range(number)]


def reasons() -> list[str]:
    return list(Suppression.objects.values_list("reason", flat=True))


def test_the_third_full_mailbox_within_a_month_suppresses(
    team: Team, mailbox: BounceMailbox
) -> None:
    first, second, third = deliveries(team, 3)
    bounce(mailbox, first, **FULL)
    bounce(mailbox, second, **FULL)
    assert reasons() == []
    bounce(mailbox, third, **FULL)
    assert reasons() == [SuppressionReason.SOFT_BOUNCES]
    assert Suppression.objects.get().note == "3 / 30"


def test_one_delivery_that_bounces_thrice_is_one(team: Team, mailbox: BounceMailbox) -> None:
    (only,) = deliveries(team, 1)
    for _ in range(3):
        bounce(mailbox, only, **FULL)
    assert reasons() == []


def test_bounces_of_long_ago_are_forgotten(team: Team, mailbox: BounceMailbox) -> None:
    first, second, third = deliveries(team, 3)
    bounce(mailbox, first, **FULL)
    bounce(mailbox, second, **FULL)
    Feedback.objects.update(received_at=timezone.now() - timedelta(days=31))
    bounce(mailbox, third, **FULL)
    assert reasons() == []


def test_what_is_no_fault_of_the_mailbox_never_adds_up(team: Team, mailbox: BounceMailbox) -> None:
    for delivery in deliveries(team, 4):
        bounce(mailbox, delivery, **BLOCKED)
    assert Feedback.objects.filter(hard=False).count() == 4
    assert reasons() == []


def test_a_team_may_switch_it_off(team: Team, mailbox: BounceMailbox) -> None:
    Team.objects.update(soft_bounces=0)
    for delivery in deliveries(team, 4):
        bounce(mailbox, delivery, **FULL)
    assert reasons() == []


@pytest.fixture
def flood(team: Team) -> list[Delivery]:
    """Five refusals within the hour, where three are the most."""
    Team.objects.update(suppressions_per_hour=3)
    campaign = a_sent_campaign(team)
    found = [a_delivery(campaign, f"p{number}@corp.example") for number in range(5)]
    for delivery in found:
        suppress_refused(Delivery.objects.get(pk=delivery.pk))
    return found


def test_above_the_cap_addresses_wait_and_an_alarm_says_so(flood: list[Delivery]) -> None:
    assert Suppression.objects.count() == 3
    assert HeldSuppression.objects.count() == 2
    alert_watch.watch()
    assert Alert.objects.get(kind=AlertKind.SUPPRESSIONS).params == {"number": 2}


def test_a_complaint_is_heard_at_any_time(team: Team, flood: list[Delivery]) -> None:
    angry = a_delivery(a_sent_campaign(team), "angry@corp.example")
    assert suppress(angry, SuppressionReason.COMPLAINT)


def test_an_hour_later_the_next_one_is_suppressed_again(team: Team, flood: list[Delivery]) -> None:
    earlier = timezone.now() - timedelta(hours=1)
    Suppression.objects.update(created_at=earlier)
    HeldSuppression.objects.update(created_at=earlier)
    assert suppress_refused(a_delivery(a_sent_campaign(team), "next@corp.example"))


def test_another_team_has_its_own_cap(flood: list[Delivery]) -> None:
    other = a_team("乙公司")
    assert suppress_refused(a_delivery(a_sent_campaign(other), "p9@corp.example"))


def test_a_person_accepts_some_and_drops_the_others(team: Team, flood: list[Delivery]) -> None:
    user: User = a_user(team)
    one, other = HeldSuppression.objects.order_by("pk")
    assert accept_held(team, user, [one.pk]) == 1
    assert drop_held(team, [other.pk]) == 1
    accepted = Suppression.objects.get(address_key=one.address_key)
    assert (accepted.reason, accepted.created_by) == (SuppressionReason.REFUSED, user)
    assert not Suppression.objects.filter(address_key=other.address_key).exists()
    alert_watch.watch()
    assert not Alert.objects.filter(kind=AlertKind.SUPPRESSIONS, closed_at=None).exists()


def test_nobody_decides_for_another_team(flood: list[Delivery]) -> None:
    other = a_team("乙公司")
    ids = list(HeldSuppression.objects.values_list("pk", flat=True))
    assert accept_held(other, a_user(other), ids) == drop_held(other, ids) == 0
    assert HeldSuppression.objects.count() == len(ids)

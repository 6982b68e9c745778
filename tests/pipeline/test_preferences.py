"""Choosing one's lists by the link of a message: what is offered, joined and left, and what stands."""

from __future__ import annotations

import pytest

from accounts.models import Team
from campaigns.models import Contact, ContactList, Delivery, ListMember, Suppression
from campaigns.models.contact import MemberStatus
from campaigns.models.delivery import DeliveryPurpose
from campaigns.models.feedback import SuppressionReason
from campaigns.pipeline import subscription as standing
from campaigns.pipeline.preferences import Preferences, choose, preferences
from tests import cast
from tests.pipeline import returned_mail as mail

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BOB = "bob@customer.example"


@pytest.fixture
def monthly() -> ContactList:
    """The list of the message, which Bob is in; not open."""
    return cast.a_list(Team.objects.create(name="甲公司"), [BOB], "月报")


@pytest.fixture
def events(monthly: ContactList) -> ContactList:
    return ContactList.objects.create(team=monthly.team, name="活动", public=True)


@pytest.fixture
def secret(monthly: ContactList) -> ContactList:
    """One that Bob is in and is never told of."""
    made = ContactList.objects.create(team=monthly.team, name="难缠客户")
    ListMember.objects.create(team=made.team, contact_list=made, contact=Contact.objects.get())
    return made


@pytest.fixture
def delivery(monthly: ContactList) -> Delivery:
    return mail.a_delivery(mail.a_sent_campaign(monthly.team, contact_list=monthly), BOB)


def found(delivery: Delivery) -> Preferences:
    subscription = standing.of_message(delivery.campaign_id, delivery.pk)
    assert subscription is not None
    return preferences(subscription)


def shown(delivery: Delivery) -> dict[str, bool]:
    return {one.contact_list.name: one.subscribed for one in found(delivery).choices}


def status(contact_list: ContactList) -> str:
    return contact_list.members.get(contact__address_key=BOB).status


def test_open_lists_and_the_messages_own_are_offered_and_no_other(
    delivery: Delivery, events: ContactList, secret: ContactList
) -> None:
    ContactList.objects.create(team=Team.objects.create(name="乙"), name="别家", public=True)
    assert shown(delivery) == {"月报": True, "活动": False}


def test_one_is_joined_and_another_left(
    delivery: Delivery, monthly: ContactList, events: ContactList, secret: ContactList
) -> None:
    for _ in range(2):
        choose(found(delivery), {events.pk})
        assert shown(delivery) == {"月报": False, "活动": True}
    row = Suppression.objects.get()
    assert (row.contact_list, row.note, row.delivery) == (monthly, "preferences", delivery)
    assert (status(monthly), status(events), status(secret)) == (
        MemberStatus.UNSUBSCRIBED,
        MemberStatus.SUBSCRIBED,
        MemberStatus.SUBSCRIBED,
    )


def test_a_list_that_was_left_is_joined_again(delivery: Delivery, monthly: ContactList) -> None:
    choose(found(delivery), set())
    assert status(monthly) == MemberStatus.UNSUBSCRIBED
    choose(found(delivery), {monthly.pk})
    assert status(monthly) == MemberStatus.SUBSCRIBED
    assert not Suppression.objects.exists()


def test_who_left_everything_and_wants_one_list_gets_no_other(
    delivery: Delivery, monthly: ContactList, events: ContactList, secret: ContactList
) -> None:
    subscription = found(delivery).subscription
    standing.unsubscribe(subscription, everything=True)
    assert shown(delivery) == {"月报": False, "活动": False}
    choose(found(delivery), {events.pk})
    assert shown(delivery) == {"月报": False, "活动": True}
    assert not Suppression.objects.filter(contact_list=None).exists()
    assert status(secret) == MemberStatus.UNSUBSCRIBED
    kept_away = set(Suppression.objects.values_list("contact_list", flat=True))
    assert kept_away == {monthly.pk, secret.pk}


def test_saving_without_a_wish_does_not_end_the_leaving_of_everything(
    delivery: Delivery, events: ContactList
) -> None:
    standing.unsubscribe(found(delivery).subscription, everything=True)
    choose(found(delivery), set())
    assert Suppression.objects.filter(contact_list=None).exists()


@pytest.mark.parametrize("reason", [SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT])
def test_what_others_stopped_for_all_lists_is_shown_and_stands(
    delivery: Delivery, events: ContactList, reason: str
) -> None:
    Suppression.objects.create(team=events.team, address=BOB, address_key=BOB, reason=reason)
    assert found(delivery).stopped == reason
    choose(found(delivery), {events.pk})
    assert Suppression.objects.get(contact_list=None).reason == reason


def test_what_a_person_stopped_for_one_list_cannot_be_joined(
    delivery: Delivery, events: ContactList, monthly: ContactList
) -> None:
    Suppression.objects.create(
        team=events.team,
        contact_list=events,
        address=BOB,
        address_key=BOB,
        reason=SuppressionReason.MANUAL,
    )
    (choice,) = [one for one in found(delivery).choices if one.contact_list == events]
    assert choice.stopped
    choose(found(delivery), {events.pk, monthly.pk})
    assert not events.members.exists()
    assert Suppression.objects.count() == 1


def test_a_list_that_was_not_offered_is_not_joined(
    delivery: Delivery, events: ContactList, monthly: ContactList
) -> None:
    hidden = ContactList.objects.create(team=events.team, name="内部")
    foreign = ContactList.objects.create(
        team=Team.objects.create(name="乙"), name="别家", public=True
    )
    choose(found(delivery), {monthly.pk, hidden.pk, foreign.pk, 2**60})
    assert list(ListMember.objects.values_list("contact_list", flat=True)) == [monthly.pk]


def test_a_test_message_changes_nobody(delivery: Delivery, events: ContactList) -> None:
    delivery.purpose = DeliveryPurpose.TEST
    delivery.save()
    choose(found(delivery), {events.pk})
    assert not Suppression.objects.exists()
    assert not events.members.exists()


def test_whose_contact_was_deleted_may_join_all_the_same(
    delivery: Delivery, events: ContactList
) -> None:
    Contact.objects.all().delete()
    choose(found(delivery), {events.pk})
    assert Contact.objects.get().address == BOB
    assert status(events) == MemberStatus.SUBSCRIBED

"""Leaving a list by the link of a message, and coming back: idempotent, and bound to that message."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import Team
from campaigns.models import Campaign, Contact, ContactList, Delivery, ListMember, Suppression
from campaigns.models.campaign import CampaignState
from campaigns.models.contact import MemberStatus
from campaigns.models.delivery import DeliveryPurpose, DeliveryState
from campaigns.models.feedback import SuppressionReason
from campaigns.models.template import Kind
from campaigns.pipeline import claim, track
from campaigns.pipeline.compose import links, tokens
from tests.pipeline import returned_mail as mail

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BOB = "bob@customer.example"


@pytest.fixture
def readers() -> ContactList:
    return ContactList.objects.create(team=Team.objects.create(name="甲公司"), name="读者")


@pytest.fixture
def member(readers: ContactList) -> ListMember:
    contact = Contact.objects.create(team=readers.team, address=BOB, address_key=BOB)
    return ListMember.objects.create(team=readers.team, contact_list=readers, contact=contact)


@pytest.fixture
def delivery(readers: ContactList, member: ListMember) -> Delivery:
    campaign = mail.a_sent_campaign(readers.team, contact_list=readers)
    return mail.a_delivery(campaign, BOB, contact=member.contact)


def token_of(delivery: Delivery) -> str:
    return links().unsubscribe(delivery.campaign_id, delivery.pk).rpartition("/")[2]


def standing(delivery: Delivery) -> track.Subscription:
    found = track.subscription(token_of(delivery))
    assert found is not None
    return found


def status(member: ListMember) -> str:
    member.refresh_from_db()
    return member.status


def test_leaving_takes_the_recipient_off_that_list(delivery: Delivery, member: ListMember) -> None:
    track.unsubscribe(standing(delivery), how=track.BY_ONE_CLICK)
    row = Suppression.objects.get()
    assert (row.contact_list, row.reason) == (
        member.contact_list,
        SuppressionReason.UNSUBSCRIBED,
    )
    assert (row.address_key, row.delivery, row.note) == (BOB, delivery, "one-click")
    assert status(member) == MemberStatus.UNSUBSCRIBED
    after = standing(delivery)
    assert (after.from_list, after.from_all, after.undoable) == (True, False, True)


def test_leaving_all_lists_is_one_row_for_the_team(delivery: Delivery, member: ListMember) -> None:
    track.unsubscribe(standing(delivery), everything=True)
    lists = set(Suppression.objects.values_list("contact_list", flat=True))
    assert lists == {member.contact_list_id, None}
    assert standing(delivery).from_all


@pytest.mark.parametrize("everything", [False, True])
def test_leaving_twice_is_leaving_once(
    delivery: Delivery, member: ListMember, everything: bool
) -> None:
    for _ in range(3):
        track.unsubscribe(standing(delivery), everything=everything)
    assert Suppression.objects.count() == 1 + everything
    assert status(member) == MemberStatus.UNSUBSCRIBED


@pytest.mark.parametrize("everything", [False, True])
def test_a_mistake_is_taken_back_whole(
    delivery: Delivery, member: ListMember, everything: bool
) -> None:
    track.unsubscribe(standing(delivery), everything=everything)
    for _ in range(2):
        track.resubscribe(standing(delivery))
    assert not Suppression.objects.exists()
    assert status(member) == MemberStatus.SUBSCRIBED
    assert not standing(delivery).left


def test_a_newsletter_is_not_sent_to_who_left(delivery: Delivery) -> None:
    track.unsubscribe(standing(delivery))
    campaign = delivery.campaign
    campaign.planned_at = timezone.now()
    campaign.state = CampaignState.RUNNING
    campaign.save()
    waiting = mail.a_delivery(
        campaign, BOB, number=99, state=DeliveryState.QUEUED, relay=campaign.relay
    )
    assert campaign.relay is not None
    opened = claim.open_claim(campaign.relay.pk, "test")
    assert opened is not None
    claim.take(opened, campaign.relay, 10)
    waiting.refresh_from_db()
    assert waiting.state == DeliveryState.SUPPRESSED


def test_coming_back_leaves_what_others_said_of_the_address(
    delivery: Delivery, member: ListMember
) -> None:
    Suppression.objects.create(
        team=delivery.team, address=BOB, address_key=BOB, reason=SuppressionReason.HARD_BOUNCE
    )
    track.unsubscribe(standing(delivery), everything=True)
    track.resubscribe(standing(delivery))
    assert Suppression.objects.get().reason == SuppressionReason.HARD_BOUNCE


def test_leaving_all_outlasts_a_bounce_that_is_lifted(
    delivery: Delivery, member: ListMember
) -> None:
    other = ContactList.objects.create(team=delivery.team, name="客户")
    second = ListMember.objects.create(
        team=delivery.team, contact_list=other, contact=member.contact
    )
    bounce = Suppression.objects.create(
        team=delivery.team, address=BOB, address_key=BOB, reason=SuppressionReason.HARD_BOUNCE
    )
    track.unsubscribe(standing(delivery), everything=True)
    bounce.delete()
    assert status(second) == MemberStatus.UNSUBSCRIBED


def test_an_old_message_cannot_bring_back_who_left_by_another(
    delivery: Delivery, member: ListMember
) -> None:
    newer = mail.a_delivery(delivery.campaign, BOB, number=50, contact=member.contact)
    track.unsubscribe(standing(newer))
    before = standing(delivery)
    assert (before.left, before.undoable) == (True, False)
    track.resubscribe(before)
    assert Suppression.objects.count() == 1
    assert status(member) == MemberStatus.UNSUBSCRIBED


def test_a_test_message_changes_nobodys_standing(delivery: Delivery, member: ListMember) -> None:
    test = mail.a_delivery(
        delivery.campaign,
        "me@corp.example.com",
        number=51,
        purpose=DeliveryPurpose.TEST,
        contact=member.contact,
    )
    found = standing(test)
    assert found.is_test
    track.unsubscribe(found, everything=True)
    assert not Suppression.objects.exists()
    assert status(member) == MemberStatus.SUBSCRIBED


def test_without_a_list_leaving_is_leaving_all(delivery: Delivery) -> None:
    Campaign.objects.update(contact_list=None)
    track.unsubscribe(standing(delivery))
    assert Suppression.objects.get().contact_list is None
    track.resubscribe(standing(delivery))
    assert not Suppression.objects.exists()


def test_other_teams_are_not_touched(delivery: Delivery, member: ListMember) -> None:
    others = Team.objects.create(name="乙公司")
    contact = Contact.objects.create(team=others, address=BOB, address_key=BOB)
    theirs = ListMember.objects.create(
        team=others,
        contact_list=ContactList.objects.create(team=others, name="读者"),
        contact=contact,
    )
    track.unsubscribe(standing(delivery), everything=True)
    assert status(theirs) == MemberStatus.SUBSCRIBED
    assert not Suppression.objects.filter(team=others).exists()


def test_no_other_token_is_a_link(delivery: Delivery) -> None:
    campaign = delivery.campaign
    ids = (campaign.pk, delivery.pk)
    right = token_of(delivery)
    wrong = [
        tokens().make("return-path", *ids),
        tokens().make("message-id", *ids),
        tokens().make("unsubscribe", campaign.pk + 1, delivery.pk),
        tokens().make("unsubscribe", delivery.pk),
        right[:-1],
        right + "a",
        ("b" if right[0] == "a" else "a") + right[1:],
        "",
        "..",
        "\0",
        "a" * 5000,
        "鸿雁",
    ]
    assert [token for token in wrong if track.subscription(token) is not None] == []
    assert track.subscription(right) is not None


def test_a_payslip_has_nothing_to_leave(readers: ContactList) -> None:
    payslip = mail.a_delivery(mail.a_sent_campaign(readers.team, Kind.PAYSLIP), BOB)
    assert track.subscription(token_of(payslip)) is None


def test_a_key_that_was_rotated_out_still_reads_its_links(
    delivery: Delivery, settings: object
) -> None:
    old, token = settings.SECRET_KEY, token_of(delivery)
    settings.SECRET_KEY = "another-" + "y" * 50
    assert track.subscription(token) is None
    settings.SECRET_KEY_FALLBACKS = [old]
    assert track.subscription(token) is not None

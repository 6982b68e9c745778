"""Preferences: a recipient chooses which of a sender's lists to get, by the link of one message.

Offered are the lists that the team has opened to it, and the list of the message itself; the names of
others are the team's own affair. What a bounce, a complaint or a person of the team has stopped is
shown, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from campaigns.models import Contact, ContactList, Delivery, ListMember, Suppression
from campaigns.models.contact import MemberStatus
from campaigns.models.feedback import SuppressionReason
from campaigns.pipeline.subscription import Subscription

# As kept in Suppression.note.
BY_PREFERENCES = "preferences"


@dataclass(frozen=True)
class Choice:
    """`stopped`: this list does not write to the address, and it is not the recipient's doing."""

    contact_list: ContactList
    subscribed: bool
    stopped: bool


@dataclass(frozen=True)
class Preferences:
    """`stopped`: why no newsletter at all goes to the address, if that was not the recipient's wish;
    a SuppressionReason, or blank."""

    subscription: Subscription
    choices: list[Choice]
    stopped: str

    @property
    def delivery(self) -> Delivery:
        return self.subscription.delivery


def preferences(subscription: Subscription) -> Preferences:
    """As things stand now."""
    delivery = subscription.delivery
    rows = dict(_suppressions(delivery).values_list("contact_list", "reason"))
    members = set(
        _members(delivery)
        .filter(status=MemberStatus.SUBSCRIBED)
        .values_list("contact_list_id", flat=True)
    )
    everywhere = rows.get(None, "")
    choices = [
        Choice(
            one,
            subscribed=one.pk in members
            and one.pk not in rows
            and everywhere != SuppressionReason.UNSUBSCRIBED,
            stopped=rows.get(one.pk, SuppressionReason.UNSUBSCRIBED)
            != SuppressionReason.UNSUBSCRIBED,
        )
        for one in _offered(delivery)
    ]
    stopped = "" if everywhere == SuppressionReason.UNSUBSCRIBED else everywhere
    return Preferences(subscription, choices, stopped)


def choose(found: Preferences, wanted: Collection[int]) -> None:
    """Subscribes to the offered lists that are `wanted` (ids), and leaves the offered ones that are
    not. A test message changes nothing."""
    if found.subscription.is_test:
        return
    choices = [choice for choice in found.choices if not choice.stopped]
    joins = [one for one in choices if one.contact_list.pk in wanted and not one.subscribed]
    leaves = [one for one in choices if one.contact_list.pk not in wanted and one.subscribed]
    with transaction.atomic():
        if joins and found.subscription.from_all:
            _narrow(found.delivery)
        for choice in joins:
            _join(found.delivery, choice.contact_list)
        for choice in leaves:
            _leave(found.delivery, choice.contact_list)


def _narrow(delivery: Delivery) -> None:
    """Whoever left everything and now wants one list has still left all others."""
    lists = ContactList.objects.filter(team=delivery.team_id)
    Suppression.objects.bulk_create(
        [_suppression(delivery, one) for one in lists], ignore_conflicts=True, batch_size=500
    )
    _members(delivery).update(status=MemberStatus.UNSUBSCRIBED, changed_at=timezone.now())
    _suppressions(delivery).filter(
        contact_list=None, reason=SuppressionReason.UNSUBSCRIBED
    ).delete()


def _join(delivery: Delivery, contact_list: ContactList) -> None:
    _suppressions(delivery).filter(
        contact_list=contact_list, reason=SuppressionReason.UNSUBSCRIBED
    ).delete()
    contact, _new = Contact.locked().get_or_create(
        team_id=delivery.team_id,
        address_key=delivery.address_key,
        defaults={"address": delivery.address},
    )
    ListMember.objects.update_or_create(
        contact_list=contact_list,
        contact=contact,
        defaults={
            "team_id": delivery.team_id,
            "status": MemberStatus.SUBSCRIBED,
            "changed_at": timezone.now(),
        },
    )


def _leave(delivery: Delivery, contact_list: ContactList) -> None:
    row = _suppression(delivery, contact_list)
    Suppression.objects.bulk_create([row], ignore_conflicts=True)
    _members(delivery).filter(contact_list=contact_list).update(
        status=MemberStatus.UNSUBSCRIBED, changed_at=timezone.now()
    )


def _suppression(delivery: Delivery, contact_list: ContactList) -> Suppression:
    return Suppression(
        team_id=delivery.team_id,
        contact_list=contact_list,
        address=delivery.address,
        address_key=delivery.address_key,
        reason=SuppressionReason.UNSUBSCRIBED,
        delivery=delivery,
        note=BY_PREFERENCES,
    )


def _offered(delivery: Delivery) -> QuerySet[ContactList]:
    own = Q(pk=delivery.campaign.contact_list_id)
    return ContactList.objects.filter(own | Q(public=True), team=delivery.team_id).order_by("name")


def _suppressions(delivery: Delivery) -> QuerySet[Suppression]:
    return Suppression.objects.filter(team=delivery.team_id, address_key=delivery.address_key)


def _members(delivery: Delivery) -> QuerySet[ListMember]:
    return ListMember.objects.filter(
        team=delivery.team_id, contact__address_key=delivery.address_key
    )

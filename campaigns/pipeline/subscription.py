"""A recipient's standing with a sender, as one message's token opens it: leaving, and coming back.

The page, the one click (RFC 8058) and the mail to the signed address (RFC 2369) all end here. Every
act is idempotent: what is repeated changes nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from campaigns.models import ContactList, Delivery, ListMember, Suppression
from campaigns.models.contact import MemberStatus
from campaigns.models.delivery import ERASED_DOMAIN, DeliveryPurpose
from campaigns.models.feedback import SuppressionReason
from campaigns.models.template import Kind

# How a recipient left, as kept in Suppression.note.
BY_PAGE, BY_ONE_CLICK, BY_MAIL = "page", "one-click", "mail"
# What the token in the address of List-Unsubscribe is for.
MAIL_PURPOSE = "unsubscribe"


@dataclass(frozen=True)
class Subscription:
    """What the link of one message may change: its recipient's standing with this sender.

    `from_list`, `from_all`: what the recipient has left; `undoable`: by this very message.
    """

    delivery: Delivery
    from_list: bool
    from_all: bool
    undoable: bool

    @property
    def contact_list(self) -> ContactList | None:
        return self.delivery.campaign.contact_list

    @property
    def is_test(self) -> bool:
        """A test message shows everything and changes nobody's standing."""
        return self.delivery.purpose == DeliveryPurpose.TEST

    @property
    def left(self) -> bool:
        return self.from_list or self.from_all


def of_message(campaign_id: int, delivery_id: int) -> Subscription | None:
    """What a newsletter's message is about; None where that, or the person, is gone."""
    found = Delivery.objects.filter(
        pk=delivery_id, campaign_id=campaign_id, campaign__kind=Kind.NEWSLETTER
    ).select_related("campaign__contact_list", "campaign__team")
    found = found.exclude(domain=ERASED_DOMAIN)
    delivery = found.defer("campaign__frozen_html", "campaign__frozen_text").first()
    return _standing(delivery) if delivery is not None else None


def unsubscribe(found: Subscription, *, everything: bool = False, how: str = BY_PAGE) -> None:
    """Takes the recipient off the campaign's list, or off all lists of the team.

    A campaign whose list is gone leaves nothing else to take them off: then it is all lists too.
    """
    delivery, contact_list = found.delivery, found.contact_list
    if found.is_test:
        return
    with transaction.atomic():
        if contact_list is not None:
            _suppress(delivery, contact_list, how)
            _members(delivery).update(status=MemberStatus.UNSUBSCRIBED, changed_at=timezone.now())
        if everything or contact_list is None:
            _leave_all(delivery, how)


def resubscribe(found: Subscription) -> None:
    """Takes back what was done by this message's link, and nothing else: a bounce, a complaint or
    an earlier unsubscribe stands."""
    delivery = found.delivery
    with transaction.atomic():
        left = _suppressions(delivery).filter(
            reason=SuppressionReason.UNSUBSCRIBED, delivery=delivery
        )
        of_list = left.filter(contact_list=found.contact_list, contact_list__isnull=False).exists()
        left.delete()
        if of_list:
            _members(delivery).filter(status=MemberStatus.UNSUBSCRIBED).update(
                status=MemberStatus.SUBSCRIBED, changed_at=timezone.now()
            )


def _standing(delivery: Delivery) -> Subscription:
    rows = list(_suppressions(delivery).filter(reason=SuppressionReason.UNSUBSCRIBED))
    member_left = _members(delivery).filter(status=MemberStatus.UNSUBSCRIBED).exists()
    return Subscription(
        delivery,
        from_list=member_left or any(row.contact_list_id is not None for row in rows),
        from_all=any(row.contact_list_id is None for row in rows),
        undoable=any(row.delivery_id == delivery.pk for row in rows),
    )


def _leave_all(delivery: Delivery, how: str) -> None:
    """An address has one row for all lists. If it stands there for a bounce, which a person may lift,
    the memberships themselves have to keep that it left."""
    row = _suppress(delivery, None, how)
    if row.reason != SuppressionReason.UNSUBSCRIBED:
        ListMember.objects.filter(
            team=delivery.team_id, contact__address_key=delivery.address_key
        ).update(status=MemberStatus.UNSUBSCRIBED, changed_at=timezone.now())


def _suppressions(delivery: Delivery) -> QuerySet[Suppression]:
    """The address's rows that keep this campaign's mail away: of its list, and of all."""
    return Suppression.objects.filter(
        Q(contact_list=None) | Q(contact_list=delivery.campaign.contact_list),
        team=delivery.team_id,
        address_key=delivery.address_key,
    )


def _members(delivery: Delivery) -> QuerySet[ListMember]:
    """The recipient in the campaign's list: the contact, also one that has the address by now.
    A test's contact is only the sample whose values it shows."""
    who = Q(contact__address_key=delivery.address_key)
    if delivery.contact_id is not None and delivery.purpose != DeliveryPurpose.TEST:
        who |= Q(contact=delivery.contact_id)
    return ListMember.objects.filter(
        who, team=delivery.team_id, contact_list=delivery.campaign.contact_list
    )


def _suppress(delivery: Delivery, contact_list: ContactList | None, how: str) -> Suppression:
    row, _created = Suppression.objects.get_or_create(
        team_id=delivery.team_id,
        address_key=delivery.address_key,
        contact_list=contact_list,
        defaults={
            "address": delivery.address,
            "reason": SuppressionReason.UNSUBSCRIBED,
            "delivery": delivery,
            "note": how,
        },
    )
    return row

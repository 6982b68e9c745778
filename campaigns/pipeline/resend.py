"""Resend: “I did not get mine.” One payslip once more, to the same or a corrected address, by a person.

It is a delivery of its own, linked to the one before it; what that one came to stays as it is.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from campaigns.models import Delivery
from campaigns.models.campaign import CampaignState
from campaigns.models.delivery import (
    OPEN,
    PRIORITY_PAYSLIP,
    DeliveryPurpose,
    DeliveryState,
)
from campaigns.models.signals import announce
from campaigns.pipeline import counts
from campaigns.pipeline.compose import Composer, Unsendable

# Ends after which a person may ask for another message. One in doubt is settled first, and one that
# was cancelled was not to be sent.
RESENDABLE = (
    DeliveryState.ACCEPTED,
    DeliveryState.REFUSED,
    DeliveryState.FAILED,
    DeliveryState.EXPIRED,
)
_LAUNCHED = (
    CampaignState.RUNNING,
    CampaignState.PAUSED,
    CampaignState.FINISHED,
    CampaignState.CANCELLED,
)


def may_resend(delivery: Delivery) -> bool:
    """Whether this payslip's state lets it go out once more; newsletters are not sent again."""
    campaign = delivery.campaign
    return (
        campaign.is_payslip
        and campaign.state in _LAUNCHED
        and campaign.recalled_at is None
        and campaign.relay_id is not None
        and delivery.purpose != DeliveryPurpose.TEST
        and delivery.state in RESENDABLE
        and delivery.row_id is not None
        and campaign.workbook is not None
        and not campaign.workbook.is_destroyed
        and not _underway(delivery)
    )


def resend(delivery: Delivery, *, address: str, address_key: str, note: str) -> Delivery | None:
    """Queues it; None where it may not be, or another one is on its way already.

    It is composed first: one that cannot be raises Unsendable and is not queued.
    """
    if not may_resend(delivery):
        return None
    again = _again(delivery, address, address_key, note)
    _compose(again)
    try:
        with transaction.atomic():
            if _underway(delivery):
                return None
            again.save()
            announce("tick")
    except IntegrityError:  # the same click twice: the first one is on its way
        return None
    counts.recount(delivery.campaign_id)
    return again


def _compose(again: Delivery) -> None:
    relay = again.relay
    if relay is None:
        raise Unsendable("no_relay", "")
    Composer(again.campaign, relay).compose(again)
    again.message_id = ""  # its own follows from the id that it does not have yet


def _underway(delivery: Delivery) -> bool:
    return _resends(delivery).filter(state__in=[*OPEN, DeliveryState.IN_DOUBT]).exists()


def _resends(delivery: Delivery) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        campaign=delivery.campaign_id,
        purpose=DeliveryPurpose.RESEND,
        source_key=delivery.source_key,
    )


def _again(delivery: Delivery, address: str, address_key: str, note: str) -> Delivery:
    now = timezone.now()
    campaign = delivery.campaign
    last = _resends(delivery).aggregate(last=Max("sequence"))["last"]
    assert campaign.relay is not None  # may_resend
    return Delivery(
        team_id=delivery.team_id,
        campaign=campaign,
        purpose=DeliveryPurpose.RESEND,
        source_key=delivery.source_key,
        sequence=0 if last is None else last + 1,
        resend_of=delivery,
        row=delivery.row,
        row_number=delivery.row_number,
        address=address,
        address_key=address_key,
        domain=address_key.rpartition("@")[2],
        priority=PRIORITY_PAYSLIP,
        due_at=now,
        deliver_until=now + timedelta(hours=campaign.relay.deliver_hours),
        relay=campaign.relay,
        resolved_note=note[:300],
        changed_at=now,
    )

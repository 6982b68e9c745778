"""Suppress: an address that is dead, or whose person left, is not mailed again."""

from __future__ import annotations

from campaigns.models import Delivery, Suppression
from campaigns.models.delivery import DeliveryPurpose
from campaigns.models.feedback import SuppressionReason


def suppress_refused(delivery: Delivery) -> bool:
    """A refusal during SMTP that says the address is dead counts like a hard bounce."""
    return suppress(delivery, SuppressionReason.REFUSED)


def suppress(delivery: Delivery, reason: SuppressionReason, *, note: str = "") -> bool:
    """Adds the delivery's address to its team's suppressions; False if it is there already.

    A test goes to the tester's own address, which nothing of this may suppress.
    """
    if delivery.purpose == DeliveryPurpose.TEST:
        return False
    _suppression, created = Suppression.objects.get_or_create(
        team_id=delivery.team_id,
        address_key=delivery.address_key,
        contact_list=None,
        defaults={
            "address": delivery.address,
            "reason": reason,
            "delivery": delivery,
            "note": note[:300],
        },
    )
    return created

"""Parked domains: what a relay may not send to for a while, since its server or a person said so.

The claim passes over the deliveries to such a domain through that relay; all others go on.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.models import Relay
from campaigns.models import DomainPark
from campaigns.models.recipient_domain import ParkSource
from campaigns.models.signals import announce


def park_domain(
    relay: Relay,
    domain: str,
    until: datetime,
    reason: str,
    *,
    source: ParkSource = ParkSource.REPLY,
) -> None:
    """Stops this domain on this relay alone; of two parks the longer one stays.

    `reason` is a code of campaigns/reasons.py or a sentence. A database that is away is the caller's
    to wait for, as with `outcome.park`.
    """
    values = {"until": until, "reason": reason[:300], "source": source}
    with transaction.atomic():
        park, made = DomainPark.objects.get_or_create(
            relay=relay, domain=domain.lower(), defaults={"team_id": relay.team_id, **values}
        )
        if not made:
            DomainPark.objects.filter(pk=park.pk, until__lt=until).update(**values)


def lift(park: DomainPark) -> None:
    """A person lets the domain go on now."""
    with transaction.atomic():
        park.delete()
        announce("tick")


def parked(relay: Relay) -> list[DomainPark]:
    """What is parked on the relay at this moment, the first to end first."""
    return list(
        DomainPark.objects.filter(relay=relay, until__gt=timezone.now()).order_by("until", "domain")
    )

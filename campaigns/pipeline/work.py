"""Work: which relays have something to send now, and how many connections they have free."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import Relay
from campaigns.models import Campaign, Claim, Delivery
from campaigns.models.campaign import CampaignState
from campaigns.models.delivery import WAITING, DeliveryPurpose


def relays_with_work() -> Iterator[tuple[int, int]]:
    """(relay id, free connection slots) for every relay that may send and has due rows.

    Only campaigns that run are looked at, so a system with a long history ticks as fast as a new one.
    """
    now = timezone.now()
    due = Delivery.objects.filter(state__in=WAITING, claim=None, due_at__lte=now)
    running = Campaign.objects.filter(
        Exists(due.filter(campaign=OuterRef("pk"))),
        state=CampaignState.RUNNING,
        hold_reason="",
        planned_at__isnull=False,
    )
    singles = due.filter(purpose__in=[DeliveryPurpose.TEST, DeliveryPurpose.RESEND])
    wanted = {
        *running.values_list("relay_id", flat=True),
        *singles.values_list("relay_id", flat=True),
    }
    ready = Relay.objects.filter(
        Q(parked_until=None) | Q(parked_until__lte=now),
        Q(resting_until=None) | Q(resting_until__lte=now),
        pk__in=wanted,
        enabled=True,
    )
    for relay in ready.defer("secret", "ca_pem"):
        taken = Claim.objects.filter(relay=relay, ended_at=None, lease_until__gt=Now()).count()
        if taken < relay.max_connections:
            yield relay.pk, relay.max_connections - taken

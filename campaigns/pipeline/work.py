"""Work: which relays have something to send now, and how their connections are shared out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import Relay
from campaigns.models import Campaign, CampaignRelay, CampaignStop, Claim, Delivery
from campaigns.models.campaign import CampaignState
from campaigns.models.delivery import WAITING, DeliveryPurpose
from campaigns.pipeline.claim import open_hours, runnable
from campaigns.pipeline.lanes import anything_waits


def relays_with_work() -> Iterator[tuple[int, int]]:
    """(relay id, how many batches may begin) for every relay that may send and has due rows.

    Only campaigns that run are looked at, so a system with a long history ticks as fast as a new one.
    """
    now = timezone.now()
    due = Delivery.objects.filter(state__in=WAITING, claim=None, due_at__lte=now)
    singles = due.filter(purpose__in=[DeliveryPurpose.TEST, DeliveryPurpose.RESEND])
    wanted = {
        *_of_campaigns(Campaign.objects.all(), due, ""),
        *_of_campaigns(CampaignRelay.objects.all(), due, "campaign__"),
        *singles.values_list("relay_id", flat=True),
    }
    ready = Relay.objects.filter(
        Q(parked_until=None) | Q(parked_until__lte=now),
        Q(resting_until=None) | Q(resting_until__lte=now),
        pk__in=wanted,
        enabled=True,
        team__sending_off_at=None,
    )
    for relay in ready.defer("secret", "ca_pem"):
        taken = Claim.objects.filter(relay=relay, ended_at=None, lease_until__gt=Now()).count()
        if taken < relay.max_connections and anything_waits(relay, runnable(relay)):
            yield relay.pk, -(-(relay.max_connections - taken) // share_of(relay))


def share_of(relay: Relay) -> int:
    """How many of the relay's connections one batch drives: each worker process gets as many, and each
    recipient domain of a direct relay."""
    if relay.is_direct:
        return min(relay.domain_connections, relay.max_connections)
    return max(1, -(-relay.max_connections // settings.WORKERS))


def _of_campaigns(
    rows: QuerySet[Any], due: QuerySet[Delivery], campaign: str
) -> QuerySet[Any, int]:
    """Relays of running campaigns, or of the rows that name several, with something due on them.

    What a stop rule stopped on a relay, whole or for a domain, is nothing to start a worker for.
    """
    name = campaign.removesuffix("__") or "pk"
    mine = due.filter(campaign=OuterRef(name), relay=OuterRef("relay"))
    stopped = CampaignStop.objects.filter(
        Q(domain="") | Q(domain=OuterRef("domain")),
        campaign=OuterRef("campaign"),
        relay=OuterRef("relay"),
        lifted_at=None,
    )
    running = {
        f"{campaign}state": CampaignState.RUNNING,
        f"{campaign}hold_reason": "",
        f"{campaign}planned_at__isnull": False,
    }
    found = rows.filter(open_hours(campaign), Exists(mine.exclude(Exists(stopped))), **running)
    return found.values_list("relay_id", flat=True)

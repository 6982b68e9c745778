"""How many deliveries of a campaign are in each state: added to per batch, recounted by a tick.

No campaign row is written per message, and no page counts a million rows to draw its progress.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.db.models import Count, F
from django.utils import timezone

from campaigns.models import Campaign, CampaignCount, CampaignRelay, Delivery, Feedback
from campaigns.models.delivery import DeliveryPurpose
from campaigns.models.feedback import FeedbackKind

# (campaign id, state) → change
Counts = dict[tuple[int, str], int]
BOUNCED = "bounced"


def add(counts: Counts, campaign_id: int, before: str, after: str) -> None:
    """One delivery went from one state to another."""
    if before != after:
        counts[campaign_id, before] = counts.get((campaign_id, before), 0) - 1
        counts[campaign_id, after] = counts.get((campaign_id, after), 0) + 1


def apply(counts: Mapping[tuple[int, str], int]) -> None:
    """Adds a batch's changes to the campaigns' counts, in one order so that none waits for ever."""
    changes: dict[int, dict[str, int]] = {}
    for (campaign_id, state), change in sorted(counts.items()):
        if change:
            changes.setdefault(campaign_id, {})[state] = change
    for campaign_id, by_state in changes.items():
        with transaction.atomic():
            mine = CampaignCount.objects.filter(campaign_id=campaign_id)
            # A state that was never counted has no row yet: the rows themselves say all of it.
            if not all(
                mine.filter(state=state).update(number=F("number") + change)
                for state, change in by_state.items()
            ):
                recount(campaign_id)


def recount(campaign_id: int) -> dict[str, int]:
    """Counts the rows themselves, tests left out, and stores that."""
    campaign = Campaign.objects.only("team_id").get(pk=campaign_id)
    numbers = dict(
        Delivery.objects.filter(campaign_id=campaign_id)
        .exclude(purpose=DeliveryPurpose.TEST)
        .values_list("state")
        .annotate(Count("pk"))
        .order_by()
    )
    numbers[BOUNCED] = (
        Feedback.objects.filter(campaign_id=campaign_id, kind=FeedbackKind.BOUNCE)
        .exclude(delivery__purpose=DeliveryPurpose.TEST)
        .exclude(proof="")
        .values("delivery_id")
        .distinct()
        .count()
    )
    with transaction.atomic():
        CampaignCount.objects.filter(campaign_id=campaign_id).exclude(state__in=numbers).update(
            number=0
        )
        CampaignCount.objects.bulk_create(
            [
                CampaignCount(
                    team_id=campaign.team_id, campaign_id=campaign_id, state=state, number=number
                )
                for state, number in sorted(numbers.items())
            ],
            update_conflicts=True,
            unique_fields=["campaign", "state"],
            update_fields=["number"],
        )
        Campaign.objects.filter(pk=campaign_id).update(counted_at=timezone.now())
    _recount_relays(campaign_id)
    return numbers


def _recount_relays(campaign_id: int) -> None:
    """What each of several relays carries, by state; a campaign of one relay has no such rows."""
    carriers = list(CampaignRelay.objects.filter(campaign=campaign_id).only("relay_id"))
    if not carriers:
        return
    by_relay: dict[int, dict[str, int]] = {carrier.relay_id: {} for carrier in carriers}
    grouped = (
        Delivery.objects.filter(campaign=campaign_id, relay__in=by_relay)
        .exclude(purpose=DeliveryPurpose.TEST)
        .values_list("relay_id", "state")
        .annotate(Count("pk"))
        .order_by()
    )
    for relay_id, state, number in grouped:
        by_relay[relay_id][state] = number
    for carrier in carriers:
        CampaignRelay.objects.filter(pk=carrier.pk).update(counts=by_relay[carrier.relay_id])

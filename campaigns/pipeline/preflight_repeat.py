"""The same month twice: blocked, unless the campaign says that it corrects the earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from campaigns.models import Campaign, Delivery
from campaigns.models.campaign import CampaignState
from campaigns.models.delivery import DeliveryPurpose, DeliveryState
from campaigns.models.template import Kind
from campaigns.pipeline.preflight_finding import BLOCK, INFO, Finding
from campaigns.pipeline.repair import family_ids

# A name that comes back sooner than a month is the same month's.
SAME_MONTH = timedelta(days=25)
# Corrections of corrections; a cycle cannot arise, and is not walked for ever.
LONGEST_CHAIN = 20


def repeats(campaign: Campaign) -> Iterator[Finding]:
    """A payroll that went out before: the very same workbook, or the same name in this month."""
    if not campaign.is_payslip or campaign.workbook is None:
        return
    corrected = _corrected(campaign)
    for earlier in _earlier(campaign):
        params = {"name": earlier.name, "time": earlier.launched_at}
        if earlier.pk not in corrected:
            yield Finding("sent_before", BLOCK, params, fix="campaign", fix_id=earlier.pk)
            return
    if campaign.corrects is not None:
        yield Finding("correction", INFO, {"name": campaign.corrects.name})


def _earlier(campaign: Campaign) -> list[Campaign]:
    """Launched, and of whose messages one left or may have left."""
    assert campaign.workbook is not None
    left = Delivery.objects.filter(
        campaign=OuterRef("pk"),
        purpose=DeliveryPurpose.CAMPAIGN,
        state__in=[DeliveryState.ACCEPTED, DeliveryState.IN_DOUBT, DeliveryState.SENDING],
    )
    recent = Q(name=campaign.name, launched_at__gt=timezone.now() - SAME_MONTH)
    found = Campaign.objects.filter(
        recent | Q(workbook__sha256=campaign.workbook.sha256),
        team=campaign.team_id,
        kind=Kind.PAYSLIP,
        launched_at__isnull=False,
    )
    alive = [CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED]
    found = found.filter(Q(state__in=alive) | Exists(left)).exclude(pk=campaign.pk)
    return list(found.exclude(state=CampaignState.DRAFT).order_by("-launched_at")[:50])


def _corrected(campaign: Campaign) -> set[int]:
    """What this campaign corrects, and what that corrected; what it completes and is one sending with."""
    found: set[int] = family_ids(campaign)
    current = campaign.corrects
    while current is not None and current.pk not in found and len(found) < LONGEST_CHAIN:
        found.add(current.pk)
        current = current.corrects
    return found

"""Recall: a payslip campaign taken back, as far as mail can be.

What waits never leaves, and the pages of what has left are closed. The messages themselves, and files in
them, lie in the employees' mailboxes: no act here reaches those, and every page says so.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from campaigns.models import Campaign
from campaigns.models.campaign import CampaignState
from campaigns.models.template import Kind
from campaigns.pipeline.control import cancel_rows

_STOPPED = (CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED)
RECALLABLE = (*_STOPPED, CampaignState.FINISHED, CampaignState.CANCELLED)


def may_recall(campaign: Campaign) -> bool:
    """A launched payslip campaign, once."""
    return campaign.is_payslip and campaign.recalled_at is None and campaign.state in RECALLABLE


def recall(campaign: Campaign, user: User, reason: str) -> bool:
    """Final. Whether it was this call that did it; a message in flight still gets its real outcome."""
    now = timezone.now()
    with transaction.atomic():
        recalled = Campaign.objects.filter(
            pk=campaign.pk, kind=Kind.PAYSLIP, recalled_at=None, state__in=RECALLABLE
        ).update(recalled_at=now, recalled_by=user, recall_reason=reason[:300])
        if recalled:
            Campaign.objects.filter(pk=campaign.pk, state__in=_STOPPED).update(
                state=CampaignState.CANCELLED, finished_at=now
            )
    if recalled:
        cancel_rows(campaign)
    return bool(recalled)

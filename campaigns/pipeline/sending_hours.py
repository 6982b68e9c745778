"""Sending hours on the rows: which hours bind a campaign, and the interval that is open or comes next.

The interval stands on the campaign (`sends_from`, `sends_until`), so that a claim and the last check
before a message compare two instants; each tick moves on what has passed. A tick that does not come
opens nothing.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from campaigns.mailer.sending_hours import Hours
from campaigns.models import Campaign, SendingHours
from campaigns.models.campaign import CampaignState
from campaigns.models.signals import announce

ALIVE = (CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED)


def row_for(campaign: Campaign) -> SendingHours | None:
    """The campaign's own row, or else its team's default as far as that binds it."""
    rows = SendingHours.objects.filter(
        Q(campaign=campaign) | Q(campaign=None), team=campaign.team_id
    )
    by_owner = {row.campaign_id: row for row in rows}
    if own := by_owner.get(campaign.pk):
        return own
    default = by_owner.get(None)
    if default is None or (campaign.is_payslip and not default.payslips):
        return None
    return default


def hours_of(campaign: Campaign) -> Hours | None:
    """None: it may send at any time."""
    row = row_for(campaign)
    return row.hours if row else None


def refresh(now: datetime | None = None) -> None:
    """Moves the hours of living campaigns on whose interval has passed, or that have none yet."""
    now = now or timezone.now()
    bound = Campaign.objects.filter(
        Q(sends_until=None) | Q(sends_until__lte=now),
        state__in=ALIVE[1:],
        team__in=SendingHours.objects.values("team"),
    )
    for campaign in bound.only("team", "kind"):
        place(campaign, now)


def place(campaign: Campaign, now: datetime) -> None:
    """Writes the interval of the campaign; nothing where its hours do not limit it.

    Hours that never open would be a closed interval in the past: forms take none.
    """
    hours = hours_of(campaign)
    interval = hours.current(now) if hours else None
    opens, closes = interval or ((None, None) if hours is None else (now, now))
    Campaign.objects.filter(pk=campaign.pk).update(sends_from=opens, sends_until=closes)


def changed(row: SendingHours) -> None:
    """The hours were saved: they hold from the next message on."""
    campaigns = Campaign.objects.filter(team=row.team_id, state__in=ALIVE)
    if row.campaign_id is not None:
        campaigns = campaigns.filter(pk=row.campaign_id)
    now = timezone.now()
    with transaction.atomic():
        for campaign in campaigns.only("team", "kind"):
            place(campaign, now)
        announce("tick")


def remove(row: SendingHours) -> None:
    """The campaign follows its team's default again; without that one, it may send at any time."""
    with transaction.atomic():
        row.delete()
        changed(row)

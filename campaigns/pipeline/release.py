"""Release: a second person looks at what was launched, and lets exactly that go.

A release is for one content: what changes it (template, workbook, people's own files, sender, password rule …) makes it
void, and whoever launched can never be the one who releases.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from campaigns.mailer.template import TemplateSource
from campaigns.models import Campaign, EnclosureArchive, Release
from campaigns.models.campaign import CampaignState, Hold
from campaigns.models.signals import announce
from campaigns.pipeline.layouts import drawn_of
from campaigns.pipeline.preflight_audience import audience_of

# Beside the template, what decides whom a message reaches and what it says.
_FIELDS = (
    *("name", "contact_list_id", "workbook_id", "relay_id", "from_name", "from_address"),
    *("reply_to", "duplicates", "attachment", "password_column", "password_tail"),
    *("password_hint", "confirm_days", "corrects_id", "send_anyway"),
    *("tracking", "utm"),
)


def content_hash(campaign: Campaign, source: TemplateSource) -> str:
    """What a release is for, in 64 hexadecimal digits."""
    workbook, drawn = campaign.workbook, drawn_of(campaign)
    content = {
        "layout": drawn.as_json() if drawn else None,
        "source": [source.subject, source.html, source.text],
        "rows": [workbook.sha256, workbook.sheet, workbook.reading] if workbook else [],
        # Another zip is another row.
        "files": list(
            EnclosureArchive.objects.filter(campaign=campaign).values_list("pk").first() or []
        ),
        **{name: getattr(campaign, name) for name in _FIELDS},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def is_needed(campaign: Campaign) -> bool:
    """By the team's rules: for every payslip, or above a number of recipients."""
    team = campaign.team
    if campaign.is_payslip and team.payslip_release:
        return True
    if team.release_above is None:
        return False
    audience = audience_of(campaign)
    return audience is not None and audience.recipients > team.release_above


def is_released(campaign: Campaign, user: User | None, source: TemplateSource) -> bool:
    """Whether somebody else than the one who launches it has released this very content."""
    rows = Release.objects.filter(campaign=campaign, content_hash=content_hash(campaign, source))
    return rows.exclude(user=user).exists()


def earliest(campaign: Campaign) -> datetime:
    """When an immediate launch begins: after the countdown, in which it can be undone."""
    return timezone.now() + timedelta(seconds=campaign.team.undo_seconds)


def may_release(campaign: Campaign, user: User) -> bool:
    """Somebody else than who launched it, of those who may read it."""
    return (
        campaign.state == CampaignState.SCHEDULED
        and campaign.hold_reason == Hold.RELEASE_AWAITED
        and campaign.launched_by_id is not None
        and campaign.launched_by_id != user.pk
        and campaign.content_visible_to(user)
    )


def release(campaign: Campaign, user: User) -> bool:
    """Records the consent and lifts the hold; whether it was this call that did it."""
    if not may_release(campaign, user):
        return False
    source = TemplateSource(campaign.frozen_subject, campaign.frozen_html, campaign.frozen_text)
    digest = content_hash(campaign, source)
    start = max(campaign.scheduled_at or timezone.now(), earliest(campaign))
    with transaction.atomic():
        lifted = (
            Campaign.objects.filter(
                pk=campaign.pk,
                state=CampaignState.SCHEDULED,
                hold_reason=Hold.RELEASE_AWAITED,
                launched_at=campaign.launched_at,
            )
            .exclude(launched_by=user)
            .update(hold_reason="", scheduled_at=start)
        )
        if lifted:
            Release.objects.get_or_create(
                team_id=campaign.team_id, campaign=campaign, user=user, content_hash=digest
            )
            announce("tick")
    return bool(lifted)

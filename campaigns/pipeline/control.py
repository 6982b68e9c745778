"""Control: what a person does to a campaign, each by one conditional UPDATE.

Twenty parallel clicks launch once: the row's state decides, and all get the same campaign. Each
function says by its result whether it was this call that changed the state.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from campaigns.models import Campaign, Delivery
from campaigns.models.campaign import CampaignState, Hold
from campaigns.models.delivery import (
    PRIORITY_TEST,
    WAITING,
    DeliveryPurpose,
    DeliveryState,
)
from campaigns.models.signals import announce
from campaigns.pipeline import counts, release, stop_rules
from campaigns.pipeline.compose import Unsendable, source_of
from campaigns.pipeline.ending import end_rows
from campaigns.pipeline.layouts import columns_of, drawn_of
from campaigns.pipeline.tracked import targets_of


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a wall time. One that a clock change skips moves forward by the gap; of
    one that comes twice, the first is meant."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def launch(campaign: Campaign, user: User, wall: datetime | None = None, *, seen: str = "") -> bool:
    """draft → scheduled, for now or for a wall time of the team's zone; the content is frozen.

    The pre-flight has to be clean; this does not ask it again, the view does. By the team's rules it
    waits for a second person's release, and for the countdown. False also where the content is no longer
    the one that was checked: `seen` is its hash (`content_of`), by default that of `campaign` as it was read.
    """
    zone = campaign.team.zone
    at = instant_of(wall, zone) if wall else release.earliest(campaign)
    source, drawn = source_of(campaign), drawn_of(campaign)
    seen = seen or content_of(campaign)
    waits = release.is_needed(campaign) and not release.is_released(campaign, user, source)
    with transaction.atomic():
        drafts = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.DRAFT)
        locked = drafts.select_for_update(of=("self",)).first()
        if locked is None or content_of(locked) != seen:
            return False
        changed = drafts.update(
            state=CampaignState.SCHEDULED,
            hold_reason=Hold.RELEASE_AWAITED if waits else "",
            frozen_subject=source.subject,
            frozen_html=source.html,
            frozen_text=source.text,
            frozen_layout=drawn.as_json() if drawn else None,
            frozen_columns=columns_of(campaign.workbook) if campaign.workbook else [],
            frozen_links=targets_of(campaign, source),
            scheduled_wall=(wall or at.astimezone(zone)).strftime("%Y-%m-%dT%H:%M"),
            scheduled_zone=zone.key,
            scheduled_at=at,
            launched_by=user,
            launched_at=timezone.now(),
        )
        if changed:
            announce("tick")
    return bool(changed)


def content_of(campaign: Campaign) -> str:
    """Of what a pre-flight checks and a person releases: another one, another hash. "" where there is none."""
    try:
        return release.content_hash(campaign, source_of(campaign))
    except Unsendable:
        return ""


def unschedule(campaign: Campaign) -> bool:
    """scheduled → draft, as long as nothing was planned: the content may be changed again."""
    return bool(
        Campaign.objects.filter(
            pk=campaign.pk, state=CampaignState.SCHEDULED, planned_at=None
        ).update(
            state=CampaignState.DRAFT,
            frozen_subject="",
            frozen_html="",
            frozen_text="",
            frozen_layout=None,
            frozen_columns=[],
            frozen_links=[],
            scheduled_at=None,
            hold_reason="",
        )
    )


def pause(campaign: Campaign) -> bool:
    """running → paused: the messages in flight end, no further content leaves."""
    return bool(
        Campaign.objects.filter(pk=campaign.pk, state=CampaignState.RUNNING).update(
            state=CampaignState.PAUSED
        )
    )


def resume(campaign: Campaign, user: User | None = None) -> bool:
    """paused → running, and a hold is lifted; what was sent is not sent again.

    Not the hold for a second person: that is `release.release`. A stop rule that a person lifted
    does not fire again for what happened before.
    """
    with transaction.atomic():
        resumed = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.PAUSED).update(
            state=CampaignState.RUNNING
        )
        lifted = (
            Campaign.objects.filter(pk=campaign.pk)
            .exclude(hold_reason__in=["", Hold.RELEASE_AWAITED])
            .update(hold_reason="", scheduled_at=timezone.now())
        )
        if lifted:
            stop_rules.lift_hold(campaign, user)
        if resumed or lifted:
            announce("tick")
    return bool(resumed or lifted)


def cancel(campaign: Campaign) -> bool:
    """Final. Waiting rows become cancelled; a message in flight still gets its real outcome."""
    changed = Campaign.objects.filter(
        pk=campaign.pk,
        state__in=[CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED],
    ).update(state=CampaignState.CANCELLED, finished_at=timezone.now())
    if changed:
        cancel_rows(campaign)
    return bool(changed)


def cancel_rows(campaign: Campaign) -> None:
    """Ends what waits, claimed rows too: a worker finds them cancelled when it wants to begin."""
    waiting = Delivery.objects.filter(campaign=campaign, state__in=WAITING).exclude(
        purpose=DeliveryPurpose.TEST
    )
    end_rows(waiting, DeliveryState.CANCELLED, "cancelled")
    counts.recount(campaign.pk)


def send_test(campaign: Campaign, sample: Delivery, address: str, address_key: str) -> Delivery:
    """One test message with the sample recipient's values, to the tester's own address alone.

    `sample` is an unsaved or saved delivery that says whose values are shown; its address is not
    taken over, so a test cannot reach the recipient.
    """
    now = timezone.now()
    assert campaign.relay is not None
    with transaction.atomic():
        sequence = Delivery.objects.filter(
            campaign=campaign, purpose=DeliveryPurpose.TEST, source_key=sample.source_key
        ).count()
        test = Delivery.objects.create(
            team=campaign.team,
            campaign=campaign,
            purpose=DeliveryPurpose.TEST,
            source_key=sample.source_key,
            sequence=sequence,
            contact=sample.contact,
            row=sample.row,
            row_number=sample.row_number,
            address=address,
            address_key=address_key,
            domain=address_key.rpartition("@")[2],
            priority=PRIORITY_TEST,
            due_at=now,
            deliver_until=now + timedelta(hours=1),
            relay=campaign.relay,
            changed_at=now,
        )
        announce("tick")
    return test


def resolve_doubt(delivery: Delivery, *, resend: bool, note: str) -> bool:
    """in_doubt → queued (same Message-ID; the campaign runs again) or accepted, with the reason.

    What was recalled is not sent again.
    """
    now = timezone.now()
    change = {"state": DeliveryState.ACCEPTED}
    if resend:
        until = max(delivery.deliver_until, now + timedelta(hours=24))
        change = {"state": DeliveryState.QUEUED, "due_at": now, "deliver_until": until}
    with transaction.atomic():
        doubtful = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.IN_DOUBT)
        if resend:
            doubtful = doubtful.filter(campaign__recalled_at=None)
        changed = doubtful.update(**change, claim=None, resolved_note=note[:300], changed_at=now)
        if changed and resend:
            Campaign.objects.filter(pk=delivery.campaign_id, state=CampaignState.FINISHED).update(
                state=CampaignState.RUNNING, finished_at=None
            )
            announce("tick")
        if changed:
            counts.recount(delivery.campaign_id)
    return bool(changed)

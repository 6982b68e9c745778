"""Sweep: repairs what dead workers left, ends what is over, and finishes campaigns.

Run by every tick; it looks only at open claims and living campaigns, never at history.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Campaign, CampaignEvent, Claim, Delivery
from campaigns.models.campaign import CampaignState, InDoubtPolicy
from campaigns.models.carrying import EventKind
from campaigns.models.delivery import OPEN, WAITING, DeliveryPurpose, DeliveryState
from campaigns.models.template import Kind
from campaigns.pipeline import counts, failover, retry_failed, stop_rules
from campaigns.pipeline.claim import server_is_new, server_started_at
from campaigns.pipeline.ending import end_rows
from campaigns.pipeline.ledger import ledger
from campaigns.pipeline.limited_domains import groups_beside
from campaigns.pipeline.steady_ledger import LedgerAway

log = logging.getLogger(__name__)
# How old the counts of a running campaign may grow before they are counted anew.
RECOUNT_AFTER = timedelta(seconds=30)


def sweep() -> None:
    """Dead claims, expired rows, work of relays that are away, finished campaigns, counts, stop rules."""
    end_dead_claims()
    expire()
    retry_failed.work_off()
    failover.move_stranded()
    finish()
    recount_running()
    stop_rules.judge()


def end_dead_claims() -> int:
    """A claim whose lease ran out: waiting rows are freed, the one `sending` is in doubt.

    The row in doubt keeps the claim's id, so that a late reply of a worker that was only slow may
    still say what became of it. If the database server restarted meanwhile, a newsletter's last
    outcomes may be lost with it, so any of the claim's rows may have been sent.
    """
    started_at = server_started_at()
    dead = list(Claim.objects.filter(ended_at=None, lease_until__lt=Now()).select_related("relay"))
    ended = 0
    for claim in dead:
        restarted = claim.server_started_at != started_at
        if restarted and server_is_new():
            continue
        try:
            # Before the claim ends: whoever dies in between, or finds the ledger away, does it again.
            for group in (claim.relay.quota_group, *groups_beside(claim.team_id)):
                ledger().abandon(group, str(claim.pk))
        except LedgerAway:
            log.warning("The quota ledger is away: dead claim %s waits for it.", claim.pk)
            continue
        with transaction.atomic():
            if not Claim.objects.filter(pk=claim.pk, ended_at=None, lease_until__lt=Now()).update(
                ended_at=timezone.now()
            ):
                continue
            rows = Delivery.objects.filter(claim=claim)
            unsure = Q(state=DeliveryState.SENDING)
            if restarted and settings.ASYNC_NEWSLETTERS:
                unsure |= Q(campaign__kind=Kind.NEWSLETTER, state__in=WAITING)
            touched = set(rows.filter(unsure).values_list("campaign_id", flat=True))
            _doubt(rows.filter(unsure))
            rows.filter(state__in=WAITING).update(claim=None)
        ended += 1
        for campaign_id in touched:
            counts.recount(campaign_id)
    return ended


def _doubt(rows: QuerySet[Delivery]) -> None:
    """By the campaign's policy: asked, sent again with the same Message-ID, or taken as accepted."""
    now = timezone.now()
    by_policy = {
        # The note keeps it from ever going to another relay, or being tried again as a failure.
        InDoubtPolicy.RESEND: {
            "state": DeliveryState.QUEUED,
            "claim": None,
            "due_at": now,
            "resolved_note": str(_("按活动的设置再发一次")),
        },
        InDoubtPolicy.ACCEPT: {"state": DeliveryState.ACCEPTED},
        InDoubtPolicy.ASK: {"state": DeliveryState.IN_DOUBT},
    }
    for policy, change in by_policy.items():
        rows.filter(campaign__in_doubt_policy=policy).update(
            **change, reason="worker_lost", changed_at=now
        )


def expire() -> None:
    """Open rows of living campaigns whose `deliver_until` passed, also while a relay is parked."""
    changes: counts.Counts = {}
    over = Delivery.objects.filter(
        campaign__state__in=[CampaignState.RUNNING, CampaignState.PAUSED],
        state__in=WAITING,
        claim=None,
        deliver_until__lte=timezone.now(),
    )
    end_rows(over, DeliveryState.EXPIRED, "deliver_until", changes)
    counts.apply(changes)


def finish() -> None:
    """A running, planned campaign without open rows is finished; in_doubt counts as an end. Not
    while a retry that a person asked for is still to be queued."""
    open_rows = Delivery.objects.filter(campaign=OuterRef("pk"), state__in=OPEN).exclude(
        purpose=DeliveryPurpose.TEST
    )
    asked = CampaignEvent.objects.filter(
        campaign=OuterRef("pk"), kind=EventKind.RETRIED, done_at=None
    )
    done = Campaign.objects.filter(
        ~Exists(open_rows), ~Exists(asked), state=CampaignState.RUNNING, planned_at__isnull=False
    )
    for campaign_id in list(done.values_list("pk", flat=True)):
        counts.recount(campaign_id)
        done.filter(pk=campaign_id).update(state=CampaignState.FINISHED, finished_at=timezone.now())


def recount_running() -> None:
    """Workers add to the counts per batch; what a crash left out is put right here."""
    old = timezone.now() - RECOUNT_AFTER
    running = Campaign.objects.filter(
        state__in=[CampaignState.RUNNING, CampaignState.PAUSED], planned_at__isnull=False
    ).exclude(counted_at__gt=old)
    for campaign_id in running.values_list("pk", flat=True):
        counts.recount(campaign_id)

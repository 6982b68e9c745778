"""Retention: what a workbook says is destroyed some days after its last use, where the team wants that.

Campaigns, deliveries and their states stay: who got a message when is still known. Nothing that is
still to be sent, doubted or confirmed loses its content.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.models import Team
from campaigns.models import Workbook
from campaigns.pipeline.destroy import campaigns_in_need, destroy

log = logging.getLogger(__name__)


def due() -> list[int]:
    """Ids of the workbooks whose time is over."""
    now = timezone.now()
    found = []
    for team in Team.objects.exclude(keep_days=None).only("keep_days"):
        # Nothing younger can have been used last before.
        old = Workbook.objects.filter(
            team=team,
            data_key__destroyed_at=None,
            uploaded_at__lte=now - timedelta(days=team.keep_days or 0),
        )
        for workbook in old.select_related("team").order_by("pk"):
            ends = destroyed_on(workbook)
            if ends is not None and ends <= now and not campaigns_in_need(workbook):
                found.append(workbook.pk)
    return found


def destroyed_on(workbook: Workbook) -> datetime | None:
    """When its content goes, if no campaign needs it then; None where it is kept."""
    days = workbook.team.keep_days
    return None if days is None else last_use(workbook) + timedelta(days=days)


def last_use(workbook: Workbook) -> datetime:
    """The latest of its upload, its import and the ends of its campaigns; a payslip's page is in use
    until its link ends."""
    moments = [workbook.uploaded_at, workbook.imported_at or workbook.uploaded_at]
    rows = workbook.campaigns.values_list(
        "created_at", "launched_at", "finished_at", "confirm_days"
    )
    for created, launched, finished, days in rows:
        end = finished or launched or created
        moments.append(end + timedelta(days=days))
    return max(moments)


def run(workbook_id: int) -> None:
    """Destroys one; a campaign that took it in this moment keeps it."""
    workbook = Workbook.objects.filter(pk=workbook_id, data_key__destroyed_at=None).first()
    if workbook is not None and not destroy(workbook):
        log.info("The content of workbook %s was destroyed: its time was over.", workbook_id)

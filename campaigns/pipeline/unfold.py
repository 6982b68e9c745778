"""Unfold: a list that a campaign is to be sent to gets a row for each of its people.

Written in chunks under a number of its own, like a reading, and made the visible one by a last update:
until then the campaign has no recipients, and cannot be launched. A list that is being imported waits.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from campaigns.models import Campaign, SuppressionImport, Workbook
from campaigns.models.content import ContentDestroyed
from campaigns.models.signals import announce
from campaigns.models.workbook import ReadingState
from campaigns.pipeline import blocks, sealed_rows
from campaigns.pipeline.chunks import chunk_size
from campaigns.pipeline.store_reading import LEASE, Superseded, delete_rows
from campaigns.workbooks.blocks import PEOPLE


def ask(campaign: Campaign) -> None:
    """After the campaign took its workbook; a tick finds it too."""
    if campaign.workbook is not None and campaign.workbook.folded:
        announce("unfold_rows", campaign.workbook_id)


def _waiting() -> QuerySet[Workbook]:
    wanted = Campaign.objects.filter(workbook=OuterRef("pk"))
    suppressing = SuppressionImport.objects.filter(workbook=OuterRef("pk"), ended_at=None)
    return Workbook.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=timezone.now()),
        Q(import_list=None) | Q(imported_at__isnull=False),
        Exists(wanted),
        ~Exists(suppressing),
        folded=True,
        state=ReadingState.CONFIRMED,
    )


def waiting() -> list[int]:
    """Lists that a campaign wants and no living worker unfolds."""
    return list(_waiting().values_list("pk", flat=True))


def run(workbook_id: int) -> None:
    """Unfolds one; nothing of it stays where another worker, an import or its end comes in between."""
    claimed = _waiting().filter(pk=workbook_id)
    if not claimed.update(
        lease_until=timezone.now() + LEASE, readings_begun=F("readings_begun") + 1
    ):
        return
    workbook = Workbook.objects.select_related("data_key").get(pk=workbook_id)
    try:
        _write(workbook)
        _show(workbook)
    except (Superseded, ContentDestroyed, IntegrityError):
        _mine(workbook).update(lease_until=None)
        delete_rows(workbook, reading=workbook.readings_begun)
    else:
        delete_rows(workbook, reading__lt=workbook.readings_begun)


def _mine(workbook: Workbook) -> QuerySet[Workbook]:
    return Workbook.objects.filter(
        pk=workbook.pk, folded=True, readings_begun=workbook.readings_begun
    )


def _write(workbook: Workbook) -> None:
    after, size = 0, max(chunk_size() // PEOPLE, 1)
    while True:
        with transaction.atomic():
            if not _mine(workbook).update(lease_until=timezone.now() + LEASE):
                raise Superseded
            # Locked until its rows are there: an erasure finds a person in the one or in the others.
            chunk = workbook.blocks.filter(pk__gt=after).order_by("pk").select_for_update()[:size]
            found = list(chunk)
            for block in found:
                sealed_rows.insert(workbook, blocks.recipients(workbook, block))
        if not found:
            return
        after = found[-1].pk


def _show(workbook: Workbook) -> None:
    """The last update; an import that began meanwhile still needs the blocks."""
    with transaction.atomic():
        locked = Workbook.objects.select_for_update().get(pk=workbook.pk)
        busy = locked.is_importing or locked.suppression_imports.filter(ended_at=None).exists()
        shown = {"folded": False, "reading": workbook.readings_begun, "lease_until": None}
        if busy or not _mine(workbook).update(**shown):
            raise Superseded
        announce("tick")

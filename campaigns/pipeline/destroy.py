"""Destroy: what a workbook says is made unreadable for good, and then removed.

The key goes first, in one short write: from then on nothing that it sealed can be read, wherever it
lies (rows, file, reply texts, returned originals, backups). The rows follow in chunks.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from campaigns.models import (
    Campaign,
    Comparison,
    DataKey,
    Delivery,
    EnclosureArchive,
    ReturnedWorkbook,
    Workbook,
    WorkbookBlock,
    WorkbookFile,
    WorkbookRow,
)
from campaigns.models.campaign import CampaignState
from campaigns.models.delivery import OPEN, DeliveryState
from campaigns.pipeline import originals
from campaigns.pipeline.chunks import chunk_size

_ENDED = (CampaignState.FINISHED, CampaignState.CANCELLED)


def campaigns_in_need(workbook: Workbook) -> list[Campaign]:
    """Campaigns that have still to send, or may have to: a doubt may become a second try."""
    unsettled = Delivery.objects.filter(
        campaign__workbook=workbook, state__in=[*OPEN, DeliveryState.IN_DOUBT]
    ).values("campaign")
    mine = Campaign.objects.filter(workbook=workbook)
    return list((mine.exclude(state__in=_ENDED) | mine.filter(pk__in=unsettled)).order_by("pk"))


def destroy(workbook: Workbook) -> list[Campaign]:
    """Destroys the content; or returns the campaigns that need it, and does nothing.

    What a campaign was made of is remembered by name and number; a workbook that none used is
    forgotten altogether.
    """
    with transaction.atomic():
        # The row's lock keeps a campaign from taking it in the same moment (PostgreSQL).
        Workbook.objects.select_for_update().get(pk=workbook.pk)
        if needed := campaigns_in_need(workbook):
            return needed
        DataKey.objects.filter(pk=workbook.data_key_id).update(key="", destroyed_at=timezone.now())
        WorkbookFile.objects.filter(workbook=workbook).delete()
        ReturnedWorkbook.objects.filter(campaign__workbook=workbook).delete()
        _destroy_comparisons(workbook)
        Workbook.objects.filter(pk=workbook.pk).update(
            sealed_findings=None,
            sealed_figures=None,
            figures_due=False,
            columns=[],
            choices={},
            sheets=[],
            sheet="",
            import_list=None,
            folded=False,
        )
    EnclosureArchive.objects.filter(campaign__workbook=workbook).delete()
    originals.destroy_with(workbook)
    _remove_rows(workbook)
    if not Campaign.objects.filter(workbook=workbook).exists():
        workbook.delete()
        DataKey.objects.filter(pk=workbook.data_key_id).delete()
    return []


def _destroy_comparisons(workbook: Workbook) -> None:
    """What was found in this month goes, and what later months found against it holds its amounts too:
    a draft is compared anew with what is left."""
    Comparison.objects.filter(campaign__workbook=workbook).delete()
    later = Comparison.objects.filter(
        Q(against__workbook=workbook) | Q(against__completions__workbook=workbook)
    )
    ids = list(later.values_list("pk", flat=True).distinct())
    now, later = timezone.now(), Comparison.objects.filter(pk__in=ids)
    later.update(sealed=None, asked_at=now)
    later.filter(campaign__state=CampaignState.DRAFT).update(
        counts={}, ended_at=None, lease_until=None, tries=0
    )


def _remove_rows(workbook: Workbook) -> None:
    size = chunk_size()
    WorkbookBlock.objects.filter(workbook=workbook).delete()
    rows = WorkbookRow.objects.filter(workbook=workbook)
    while found := list(rows.values_list("pk", flat=True)[:size]):
        with transaction.atomic():
            Delivery.objects.filter(row__in=found).update(row=None)
            WorkbookRow.objects.filter(pk__in=found)._raw_delete(using=rows.db)

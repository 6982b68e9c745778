"""HR's own workbook back, with what became of each row; and the way to send the mended rows."""

from __future__ import annotations

import io
from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.text import get_valid_filename
from django.utils.translation import get_language
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from campaigns.models import Campaign, ReturnedWorkbook
from campaigns.models.content import ContentDestroyed
from campaigns.pipeline import return_workbook
from campaigns.problem_texts import reject_sentence
from campaigns.views.access import member
from campaigns.views.found import readable_campaign, right_for
from campaigns.views.result import XLSX

_TYPES = {".xlsx": XLSX, ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12"}


def find(request: HttpRequest, pk: int) -> Campaign:
    """A payslip campaign whose content the user may read and whose file is there."""
    campaign = readable_campaign(request, pk)
    if not _has_file(campaign):
        raise Http404
    return campaign


def _has_file(campaign: Campaign) -> bool:
    workbook = campaign.workbook
    return campaign.is_payslip and workbook is not None and not workbook.is_destroyed


@member()
@require_safe
@cache_control(private=True, no_store=True)
def returned(request: HttpRequest, pk: int) -> HttpResponse:
    """A part of the campaign's page; it polls while a worker makes the file. Nothing of content that
    was destroyed."""
    campaign = readable_campaign(request, pk)
    return _part(request, campaign) if _has_file(campaign) else HttpResponse()


def _part(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    rows = ReturnedWorkbook.objects.filter(campaign=campaign).defer("sealed")
    row = rows.order_by("-pk").first()
    context: dict[str, Any] = {
        "campaign": campaign,
        "returned": row,
        "making": row is not None and row.ended_at is None,
        "failed": reject_sentence(row.failed_kind, "") if row and row.failed_kind else "",
        "may_act": right_for(campaign.kind) in request.rights,
        "is_launched": campaign.launched_at is not None,
        "is_recalled": campaign.recalled_at is not None,
    }
    return render(request, "campaigns/campaigns/returned.html", context)


@member()
@require_POST
def returned_make(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks a worker for the file, as things stand now."""
    campaign = find(request, pk)
    return_workbook.begin(campaign, request.user, get_language() or "zh-hans")
    if request.htmx:
        return _part(request, campaign)
    return redirect("campaigns:campaign", pk)


@member()
@require_safe
def returned_file(request: HttpRequest, pk: int) -> FileResponse:
    """The last one that was made."""
    campaign = find(request, pk)
    row = ReturnedWorkbook.objects.filter(campaign=campaign, sealed__isnull=False).last()
    if row is None or row.sealed is None:
        raise Http404
    assert campaign.workbook is not None
    try:
        content = campaign.workbook.data_key.open(row.sealed)
    except ContentDestroyed:
        raise Http404 from None
    stem = campaign.workbook.name.rpartition(".")[0] or campaign.workbook.name
    name = get_valid_filename(f"{stem}-{timezone.localdate().isoformat()}") + row.suffix
    response = FileResponse(
        io.BytesIO(content), as_attachment=True, filename=name, content_type=_TYPES[row.suffix]
    )
    response["Cache-Control"] = "no-store, private"
    return response

"""A payroll's columns in figures: do the sheet's own totals agree, and which slips are the extremes.

Amounts and names: every caller has asked for the ContentGrant before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from campaigns.models import Campaign, Comparison, Workbook
from campaigns.models.content import ContentDestroyed
from campaigns.models.workbook import Purpose
from campaigns.pipeline import comparison, figure_rows, figures
from campaigns.pipeline.figures import HIDDEN, NO_ADDRESS
from campaigns.pipeline.month_people import role
from campaigns.pipeline.taking import NO_CONTACT
from campaigns.problem_texts import reason
from campaigns.views.access import member
from campaigns.views.found import own_readable_campaign

_WHY: Mapping[str, Promise] = {
    NO_ADDRESS: gettext_lazy("没有邮箱"),
    HIDDEN: gettext_lazy("是隐藏的行"),
    NO_CONTACT: gettext_lazy("在联系人里没有找到"),
}


@member()
@require_safe
@cache_control(private=True, no_store=True)
def workbook_totals(request: HttpRequest, pk: int) -> HttpResponse:
    """A part of a payroll's page, polled while a worker adds up."""
    rows = Workbook.objects.select_related("data_key").filter(team=request.team)
    workbook = get_object_or_404(rows, pk=pk, purpose=Purpose.PAYSLIP)
    if not workbook.content_visible_to(request.user):
        raise PermissionDenied
    context = {"workbook": workbook, **totals_shown(workbook)}
    return render(request, "campaigns/workbooks/totals.html", context)


def totals_shown(workbook: Workbook) -> dict[str, Any]:
    """Each total of the sheet beside ours, with the rows that explain a difference."""
    try:
        found = workbook.figures.get("totals", ())
    except ContentDestroyed:
        found = ()
    totals = [figure_rows.total(one) for one in found]
    told = [{**one, "left": [_left(*left) for left in one["left"]]} for one in totals]
    return {"totals": told, "adding_up": workbook.figures_due}


def _left(row: int, why: str, value: str) -> str:
    """As in "第 37 行没有邮箱：4,500.00"."""
    told = _WHY.get(why) or _("没有发送：%(reason)s") % {"reason": reason(why)}
    return _("第 %(row)s 行%(why)s：%(amount)s") % {"row": row, "why": told, "amount": value}


def extremes_shown(campaign: Campaign, user: User) -> dict[str, Any]:
    """Five of the largest and smallest slips by a column, and of those that changed most; {} where there
    is nothing to rank."""
    workbook = campaign.workbook
    if workbook is None or not campaign.is_payslip:
        return {}
    try:
        found = workbook.figures
        columns = [one["name"] for one in found.get("columns", ())]
        if not columns:
            return {"adding_up": workbook.figures_due}
        chosen = campaign.preview_column
        if chosen not in columns:
            chosen = figures.default_column(found, role(workbook, "net"))
    except ContentDestroyed:
        return {}
    column = found["columns"][columns.index(chosen)]
    return {
        "columns": columns,
        "column": chosen,
        "extremes": [
            {"title": _("最大的五个"), "rows": figure_rows.ranked(column["largest"])},
            {"title": _("最小的五个"), "rows": figure_rows.ranked(column["smallest"])},
            {"title": _("比上月变动最大的五个"), "rows": _moved(campaign, chosen, user)},
        ],
    }


def _moved(campaign: Campaign, column: str, user: User) -> list[dict[str, Any]]:
    row = Comparison.objects.select_related("against").filter(campaign=campaign).first()
    if row is None or not comparison.visible_to(row, user):
        return []
    return figure_rows.moved(comparison.opened(row, campaign).get("largest", {}).get(column, ()))


@member()
@require_POST
def campaign_preview_column(request: HttpRequest, pk: int) -> HttpResponse:
    """Which column's extremes the preview offers; kept with the campaign, and for next month."""
    campaign = own_readable_campaign(request, pk)
    workbook = campaign.workbook
    column = request.POST.get("column", "")
    if workbook is not None and column in {one["name"] for one in workbook.columns}:
        Campaign.objects.filter(pk=pk).update(preview_column=column[:255])
    at = request.POST.get("at", "")
    chosen = f"?at={at}" if at.isascii() and at.isdecimal() else ""
    response = redirect("campaigns:campaign_preview", pk)
    response["Location"] += chosen
    return response

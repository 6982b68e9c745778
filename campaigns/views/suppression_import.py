"""Suppressions out of a workbook: what is asked for, and how far a worker is with it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Right
from campaigns.forms.suppressions import SuppressionImportForm
from campaigns.models import SuppressionImport
from campaigns.pipeline import import_suppressions
from campaigns.views.access import member

SHOWN = 10


@member(Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def suppression_import(request: HttpRequest) -> HttpResponse:
    """The form, and the last imports."""
    initial = {"workbook": request.GET.get("workbook")}
    form = SuppressionImportForm(
        request.POST or None,
        team=request.team,
        workbooks=import_suppressions.importable(request.team.pk),
        initial=initial,
    )
    if form.is_bound and form.is_valid():
        asked = form.cleaned_data
        begun = import_suppressions.begin(
            asked["workbook"],
            asked["contact_list"],
            reason=asked["reason"],
            note=asked["note"],
            user=request.user,
        )
        if begun is None:
            messages.error(request, _("没有开始：这个工作簿正在导入，或内容已经不在。"))
        return redirect("campaigns:suppression_import")
    context = {"form": form, **_last(request)}
    status = 422 if form.errors else 200
    return render(request, "campaigns/suppressions/import.html", context, status=status)


@member(Right.NEWSLETTERS)
@require_safe
def suppression_imports(request: HttpRequest) -> HttpResponse:
    """The live part alone."""
    return render(request, "campaigns/suppressions/imports.html", _last(request))


def _last(request: HttpRequest) -> dict[str, Any]:
    rows = SuppressionImport.objects.filter(team=request.team).order_by("-pk")
    last = list(rows.select_related("contact_list", "workbook")[:SHOWN])
    return {"rows": last, "running": any(row.ended_at is None for row in last)}

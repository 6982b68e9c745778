"""Workbooks: their list, and the upload of one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import Right
from campaigns.forms.upload_handler import MemoryHandler
from campaigns.forms.workbook import UploadForm
from campaigns.models import Campaign, Workbook
from campaigns.models.template import Kind
from campaigns.models.workbook import Purpose
from campaigns.pipeline import load
from campaigns.views.access import member
from campaigns.views.found import must_have, named

PAGE = 30


@member(Right.PAYSLIPS, Right.NEWSLETTERS)
@require_safe
def workbooks(request: HttpRequest) -> HttpResponse:
    """All of the team's, the newest first: name, state and counts, never content."""
    rows = (
        Workbook.objects.filter(team=request.team)
        .select_related("uploaded_by")
        .defer("sealed_findings", "columns", "choices", "sheets")
        .annotate(destroyed_at=F("data_key__destroyed_at"))
        .order_by("-uploaded_at", "-pk")
    )
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, "campaigns/workbooks/workbooks.html", {"page": page})


@csrf_exempt  # checked below: reading the token reads the body, which no other handler may receive
@member(Right.PAYSLIPS, Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def workbook_upload(request: HttpRequest) -> HttpResponse:
    """The bytes stay in memory until they are sealed."""
    request.upload_handlers = [MemoryHandler(settings.MAX_WORKBOOK_BYTES)]  # type: ignore[list-item]
    return _receive(request)


@csrf_protect
def _receive(request: HttpRequest) -> HttpResponse:
    repaired = _repaired(request)
    rights = frozenset({Right.PAYSLIPS}) if repaired else request.rights
    options = {"rights": rights, "limit": settings.MAX_WORKBOOK_BYTES}
    context: dict[str, Any] = {"repaired": repaired}
    if request.method != "POST":
        wanted = request.GET.get("purpose")
        initial = {"purpose": wanted} if wanted in Purpose.values else {}
        form = UploadForm(initial=initial | {"repairs": repaired and repaired.pk}, **options)
        return render(request, "campaigns/workbooks/upload.html", context | {"form": form})
    handler = request.upload_handlers[0]
    form = UploadForm(request.POST, request.FILES, **options)
    form.too_big = handler.too_big
    if not form.is_valid():
        # htmx shows a 422; what else speaks HTTP is told the truth about a size.
        status = 413 if form.too_big and not request.htmx else 422
        context["form"] = form
        return render(request, "campaigns/workbooks/upload.html", context, status=status)
    file = form.cleaned_data["file"]
    workbook = load.upload(
        team=request.team,
        user=request.user,
        purpose=Purpose(form.cleaned_data["purpose"]),
        name=file.name,
        data=file.read(),
        repairs=repaired,
    )
    if request.htmx:
        return HttpResponseClientRedirect(reverse("campaigns:workbook", args=[workbook.pk]))
    return redirect("campaigns:workbook", workbook.pk)


def _repaired(request: HttpRequest) -> Campaign | None:
    """?repairs=…: the payslip campaign whose failed rows the file mends, for its readers alone."""
    given = (request.POST if request.method == "POST" else request.GET).get("repairs")
    if not given:
        return None
    must_have(request, Right.PAYSLIPS)
    mine = Campaign.objects.filter(
        team=request.team, kind=Kind.PAYSLIP, grants__user=request.user, recalled_at=None
    )
    found: Campaign = named(mine, given)
    return found

"""Workbooks: their list, and the upload of one."""

from __future__ import annotations

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
from campaigns.models import Workbook
from campaigns.models.workbook import Purpose
from campaigns.pipeline import load
from campaigns.views.access import member

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
    options = {"rights": request.rights, "limit": settings.MAX_WORKBOOK_BYTES}
    if request.method != "POST":
        wanted = request.GET.get("purpose")
        initial = {"purpose": wanted} if wanted in Purpose.values else {}
        form = UploadForm(initial=initial, **options)
        return render(request, "campaigns/workbooks/upload.html", {"form": form})
    handler = request.upload_handlers[0]
    form = UploadForm(request.POST, request.FILES, **options)
    form.too_big = handler.too_big
    if not form.is_valid():
        # htmx shows a 422; what else speaks HTTP is told the truth about a size.
        status = 413 if form.too_big and not request.htmx else 422
        return render(request, "campaigns/workbooks/upload.html", {"form": form}, status=status)
    file = form.cleaned_data["file"]
    workbook = load.upload(
        team=request.team,
        user=request.user,
        purpose=Purpose(form.cleaned_data["purpose"]),
        name=file.name,
        data=file.read(),
    )
    if request.htmx:
        return HttpResponseClientRedirect(reverse("campaigns:workbook", args=[workbook.pk]))
    return redirect("campaigns:workbook", workbook.pk)

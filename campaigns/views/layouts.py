"""Layouts of payslips: their list, and the editor with its live preview of a real row."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import reswap, retarget

from accounts.models import Right
from campaigns.forms.layout import HIDES, Changes, FrameForm, NewLayoutForm, logo_sentence
from campaigns.models import Campaign, PayslipLayout, Workbook, WorkbookRow
from campaigns.models.campaign import CampaignState
from campaigns.models.content import ContentDestroyed
from campaigns.models.workbook import Purpose
from campaigns.pipeline import layouts as pipeline
from campaigns.pipeline.layouts import LARGEST_LOGO, Layout, LogoFault
from campaigns.views.access import member
from campaigns.views.found import named, readable_workbooks
from campaigns.views.framed import framed


@member(Right.PAYSLIPS)
@require_safe
def layouts(request: HttpRequest) -> HttpResponse:
    """All of the team's, the last changed first."""
    rows = PayslipLayout.objects.filter(team=request.team).select_related("updated_by")
    shown = rows.only("name", "updated_at", "updated_by__name", "updated_by__email")
    context = {"rows": shown.order_by("-updated_at", "-pk")}
    return render(request, "campaigns/layouts/layouts.html", context)


@member(Right.PAYSLIPS)
@require_http_methods(["GET", "HEAD", "POST"])
def layout_new(request: HttpRequest) -> HttpResponse:
    """Made of a payroll's columns; HR goes on in the editor."""
    named(_payrolls(request), request.POST.get("workbook"))
    form = NewLayoutForm(
        request.POST or None,
        workbooks=_payrolls(request),
        initial={"workbook": request.GET.get("workbook")},
    )
    if request.method == "POST" and form.is_valid():
        workbook, name = form.cleaned_data["workbook"], form.cleaned_data["name"]
        row = pipeline.make(team=request.team, user=request.user, workbook=workbook, name=name)
        messages.success(request, _("已按工作簿的列排好，请看看要不要调整。"))
        return redirect(_address(row, workbook))
    context = {"form": form, "has_workbooks": _payrolls(request).exists()}
    return render(
        request, "campaigns/layouts/new.html", context, status=422 if form.errors else 200
    )


@member(Right.PAYSLIPS)
@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(no_store=True, private=True)
def layout(request: HttpRequest, pk: int) -> HttpResponse:
    """The editor. A POST applies every field and the pressed button; launched campaigns keep their own copy."""
    row = _found(request, pk)
    workbook, sample = _sample(request)
    if request.method != "POST":
        return _editor(request, row, workbook, sample)
    before = _structure(row)
    form = FrameForm(request.POST, team=request.team, instance=row)
    if request.POST.get("do") == "undo":
        done = pipeline.undo(row, request.user, version=_version(request))
    elif not form.is_valid():
        return _editor(request, row, workbook, sample, form=form)
    else:
        done = _apply(request, row, workbook, form)
    if not done:
        messages.error(request, _("没有更改：别人刚刚改过这个排版。请核对最新的内容。"))
    elif request.htmx and _is_shown_already(request, before, row):
        return _saved(request, row, workbook, sample)
    if request.htmx:
        return _editor(request, row, workbook, sample)
    return redirect(_address(row, workbook, sample))


def _structure(row: PayslipLayout) -> list[list[str]]:
    return [
        [column.column for column in group.columns] for group in pipeline.drawn(row).layout.groups
    ]


def _is_shown_already(request: HttpRequest, before: list[list[str]], row: PayslipLayout) -> bool:
    """A changed field, not a pressed button, that moved nothing: the form shows it as it is. Typing goes on in it."""
    given = request.POST
    same_columns = given.get("workbook") == given.get("shown-workbook")
    return "do" not in given and same_columns and before == _structure(row)


def _saved(
    request: HttpRequest, row: PayslipLayout, workbook: Workbook | None, sample: WorkbookRow | None
) -> HttpResponse:
    context = {
        "row": row,
        "preview_url": _preview_address(row, workbook, sample),
        "can_undo": bool(row.history),
    }
    response = render(request, "campaigns/layouts/saved.html", context)
    return reswap(retarget(response, "#layout-frame"), "outerHTML")


def _apply(
    request: HttpRequest, row: PayslipLayout, workbook: Workbook | None, form: FrameForm
) -> bool:
    stored = pipeline.drawn(row).layout
    missing, unplaced = pipeline.difference(stored, workbook) if workbook else ([], [])
    changes = Changes(request.POST, missing=missing, unplaced=unplaced)
    version = _version(request)
    if version != row.version:
        return False
    if row.name != form.cleaned_data["name"]:
        row.name = form.cleaned_data["name"]
        row.save(update_fields=["name", "updated_at"])
    changed = changes.applied(form.framed(stored))
    return pipeline.change(row, changed, request.user, version=version)


def _editor(
    request: HttpRequest,
    row: PayslipLayout,
    workbook: Workbook | None,
    sample: WorkbookRow | None,
    *,
    form: FrameForm | None = None,
) -> HttpResponse:
    stored = pipeline.drawn(row).layout
    missing, unplaced = pipeline.difference(stored, workbook) if workbook else ([], [])
    initial = {
        "name": row.name,
        "company": stored.company,
        "note": stored.note,
        "accent": stored.accent.value,
    }
    context = {
        "row": row,
        "groups": _groups(stored),
        "hides": HIDES,
        "missing": missing,
        "unplaced": unplaced,
        "form": form or FrameForm(initial=initial, team=request.team, instance=row),
        "workbook": workbook,
        "workbooks": _payrolls(request).only("name", "sheet")[:20],
        "sample": sample,
        "preview_url": _preview_address(row, workbook, sample),
        "can_undo": bool(row.history),
        "in_use": Campaign.objects.filter(layout=row, state=CampaignState.DRAFT).only("name")[:5],
    }
    page = "editor.html" if request.htmx else "layout.html"
    status = 422 if form is not None and form.errors else 200
    return render(request, f"campaigns/layouts/{page}", context, status=status)


def _groups(stored: Layout) -> list[dict[str, Any]]:
    """Groups with their columns, numbered over all groups as the form's fields are."""
    number, groups = 0, []
    for at, group in enumerate(stored.groups):
        columns = []
        for column in group.columns:
            columns.append({"number": number, "column": column})
            number += 1
        groups.append({"at": at, "name": group.name, "columns": columns})
    return groups


@member(Right.PAYSLIPS)
@require_safe
def layout_preview(request: HttpRequest, pk: int) -> HttpResponse:
    """For the frame: the mail with a real row's values, or made-up ones."""
    row = _found(request, pk)
    workbook, sample = _sample(request)
    try:
        rendered = pipeline.preview(pipeline.drawn(row), row.name, workbook, sample)
    except ContentDestroyed:
        rendered = pipeline.preview(pipeline.drawn(row), row.name)
    return framed(rendered.html)


@member(Right.PAYSLIPS)
@require_POST
def layout_logo(request: HttpRequest, pk: int) -> HttpResponse:
    """Another picture; without a file the picture goes."""
    row = _found(request, pk)
    file = request.FILES.get("logo")
    data = file.read(LARGEST_LOGO + 1) if file is not None else b""
    try:
        pipeline.set_logo(row, data, request.user)
    except LogoFault as fault:
        messages.error(request, logo_sentence(fault.kind))
    workbook, sample = _sample(request)
    return redirect(_address(row, workbook, sample))


@member(Right.PAYSLIPS)
@require_POST
def layout_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Not while a draft needs it; what was launched has its own copy."""
    row = _found(request, pk)
    if Campaign.objects.filter(layout=row, state=CampaignState.DRAFT).exists():
        messages.error(request, _("还有草稿活动在使用这个排版，不能删除。"))
        return redirect("campaigns:layout", pk)
    row.delete()
    messages.success(request, _("排版已删除。"))
    return redirect("campaigns:layouts")


def _found(request: HttpRequest, pk: int) -> PayslipLayout:
    return get_object_or_404(PayslipLayout, team=request.team, pk=pk)


def _payrolls(request: HttpRequest) -> Any:
    return readable_workbooks(request).filter(purpose=Purpose.PAYSLIP)


def _version(request: HttpRequest) -> int:
    value = request.POST.get("version", "")
    return int(value) if value.isdecimal() and len(value) < 9 else -1


def _sample(request: HttpRequest) -> tuple[Workbook | None, WorkbookRow | None]:
    """The payroll that is laid out, the last one by default ("none" for made-up values), and one of its rows."""
    given = request.POST if request.method == "POST" else request.GET
    wanted = given.get("workbook", "")
    if wanted == "none":
        return None, None
    payrolls = _payrolls(request).select_related("data_key")
    workbook = named(payrolls, wanted) or payrolls.first()
    if workbook is None:
        return None, None
    number = given.get("row", "")
    rows = workbook.rows
    chosen = (
        rows.filter(number=int(number)).first() if number.isdecimal() and len(number) < 8 else None
    )
    return workbook, chosen or rows.first()


def _query(workbook: Workbook | None, sample: WorkbookRow | None) -> dict[str, Any]:
    return {
        "workbook": workbook.pk if workbook else "none",
        **({"row": sample.number} if sample else {}),
    }


def _address(
    row: PayslipLayout, workbook: Workbook | None, sample: WorkbookRow | None = None
) -> str:
    address = reverse("campaigns:layout", args=[row.pk])
    return f"{address}?{urlencode(_query(workbook, sample))}"


def _preview_address(
    row: PayslipLayout, workbook: Workbook | None, sample: WorkbookRow | None
) -> str:
    """With the version, so that a change is a new address and the frame shows it."""
    query = {**_query(workbook, sample), "v": row.version}
    return f"{reverse('campaigns:layout_preview', args=[row.pk])}?{urlencode(query)}"

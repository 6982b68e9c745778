"""Templates: their list, the editor with its faults, and a preview of what is being written."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Right
from campaigns.forms.template import TemplateForm
from campaigns.models import Campaign, MessageTemplate, Workbook
from campaigns.models.campaign import CampaignState
from campaigns.models.template import Kind
from campaigns.models.workbook import Purpose
from campaigns.pipeline import blocks, prepare
from campaigns.pipeline.prepare import Sample, TemplateFault, TemplateSource
from campaigns.views.access import member
from campaigns.views.found import must_have, named, readable_workbooks, right_for
from campaigns.views.framed import framed

PARTS = {
    "subject": gettext_lazy("主题"),
    "html": gettext_lazy("HTML 正文"),
    "text": gettext_lazy("纯文本正文"),
}


@member(Right.PAYSLIPS, Right.NEWSLETTERS)
@require_safe
def templates(request: HttpRequest) -> HttpResponse:
    """All of the team's templates that the user may write, the last changed first."""
    kinds = [kind for kind in Kind if right_for(kind) in request.rights]
    rows = MessageTemplate.objects.filter(team=request.team, kind__in=kinds)
    context = {
        "rows": rows.select_related("updated_by")
        .only("kind", "name", "subject", "updated_at", "updated_by__name", "updated_by__email")
        .order_by("-updated_at", "-pk"),
        "kinds": kinds,
    }
    return render(request, "campaigns/templates/templates.html", context)


@member(Right.PAYSLIPS, Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def template_new(request: HttpRequest) -> HttpResponse:
    """Starts from the ready-made template of its kind."""
    kind = request.POST.get("kind") or request.GET.get("kind", "")
    if kind not in Kind.values:
        raise Http404
    must_have(request, right_for(kind))
    source = prepare.starting_source(kind)
    initial = {"subject": source.subject, "html": source.html, "text": source.text}
    return _edit(request, kind, None, initial)


@member(Right.PAYSLIPS, Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def template(request: HttpRequest, pk: int) -> HttpResponse:
    """One template, to be changed. Launched campaigns keep what they were launched with."""
    found = _found(request, pk)
    initial = {name: getattr(found, name) for name in ("name", "subject", "html", "text")}
    return _edit(request, found.kind, found, initial)


@member(Right.PAYSLIPS, Right.NEWSLETTERS)
@require_POST
def template_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Drafts lose it; what was launched has its content frozen."""
    found = _found(request, pk)
    if Campaign.objects.filter(template=found, state=CampaignState.DRAFT).exists():
        messages.error(request, _("还有草稿活动在使用这个模板，不能删除。"))
        return redirect("campaigns:template", pk)
    found.delete()
    messages.success(request, _("模板已删除。"))
    return redirect("campaigns:templates")


@member(Right.PAYSLIPS, Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def template_preview(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """For the frame: a stored template, or (POST, which changes nothing) what is in the editor."""
    if pk is not None:
        found = _found(request, pk)
        source = TemplateSource(found.subject, found.html, found.text)
    elif request.method == "POST":
        parts = (request.POST.get(name, "") for name in ("subject", "html", "text"))
        source = TemplateSource(*parts)
    else:
        raise Http404
    given = request.POST if request.method == "POST" else request.GET
    rendered, faults = prepare.preview(source, _row(request, given))
    if rendered is None:
        lines = "".join(
            f"<li>{escape(fault['place'])} {escape(fault['text'])}" for fault in _shown(faults)
        )
        return framed(f"<!doctype html><meta charset=utf-8><ul>{lines}</ul>")
    if given.get("view") == "text":
        return framed(
            f"<!doctype html><meta charset=utf-8><pre>{escape(rendered.subject)}\n\n{escape(rendered.text)}</pre>"
        )
    return framed(rendered.html)


@member(Right.PAYSLIPS, Right.NEWSLETTERS)
@require_safe
def template_fields(request: HttpRequest) -> HttpResponse:
    """The merge fields of a workbook, for the editor's side."""
    workbook = named(readable_workbooks(request), request.GET.get("workbook"))
    response = render(request, "campaigns/templates/fields.html", _fields(workbook))
    response["Cache-Control"] = "no-store, private"
    return response


def _found(request: HttpRequest, pk: int) -> MessageTemplate:
    found = get_object_or_404(MessageTemplate, team=request.team, pk=pk)
    must_have(request, right_for(found.kind))
    return found


def _edit(
    request: HttpRequest, kind: str, instance: MessageTemplate | None, initial: dict[str, str]
) -> HttpResponse:
    form = TemplateForm(request.POST or None, team=request.team, instance=instance, initial=initial)
    faults: list[TemplateFault] = []
    if request.method == "POST" and form.is_valid():
        saved, faults = _save(request, kind, instance, form)
        if saved is not None:
            messages.success(request, _("模板已保存。"))
            return redirect("campaigns:template", saved.pk)
    workbooks = readable_workbooks(request).only("name", "columns", "row_count", "uploaded_at")
    purpose = Purpose.PAYSLIP if kind == Kind.PAYSLIP else Purpose.LIST
    context = {
        "form": form,
        "kind": kind,
        "kind_label": Kind(kind).label,
        "instance": instance,
        "faults": _shown(faults),
        "workbooks": workbooks.filter(purpose=purpose)[:20],
        **_fields(None),
    }
    return render(
        request,
        "campaigns/templates/template.html",
        context,
        status=422 if form.errors or faults else 200,
    )


def _save(
    request: HttpRequest, kind: str, instance: MessageTemplate | None, form: TemplateForm
) -> tuple[MessageTemplate | None, list[TemplateFault]]:
    try:
        with transaction.atomic():
            return prepare.save_template(
                team=request.team,
                user=request.user,
                kind=kind,
                instance=instance,
                **form.cleaned_data,
            )
    except IntegrityError:
        form.add_error("name", _("团队里已有同名的模板。"))
        return None, []


def _row(request: HttpRequest, given: Any) -> Sample | None:
    """The wanted workbook's row, by its number or the first; None for samples."""
    workbook: Workbook | None = named(readable_workbooks(request), given.get("workbook"))
    if workbook is None:
        return None
    number = given.get("row", "")
    row = None
    if number.isdecimal() and len(number) < 8:
        row = blocks.numbered(workbook, int(number))
    row = row or blocks.listed(workbook).first()
    return prepare.sample_of(workbook, row) if row else None


def _fields(workbook: Workbook | None) -> dict[str, Any]:
    names = [column["name"] for column in workbook.columns] if workbook else []
    return {"references": prepare.references(names), "workbook": workbook}


def _shown(faults: list[TemplateFault]) -> list[dict[str, str]]:
    """For components/problems.html: part, line and column as the place."""
    return [
        {
            "severity": "error",
            "place": _("%(part)s · 第 %(line)s 行 · 第 %(column)s 列")
            % {"part": PARTS[fault.part], "line": fault.line, "column": fault.column},
            "text": fault.text,
        }
        for fault in faults
    ]

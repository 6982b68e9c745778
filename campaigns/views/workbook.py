"""One workbook: how far its reading is, what was found, and the acts until it is confirmed.

A payroll's content is shown to those with a grant alone; everybody else sees name, state, counts.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from accounts.models import Right
from campaigns.forms.workbook import ImportForm, LayoutForm, MatchForm, PasswordForm
from campaigns.models import Campaign, Workbook
from campaigns.models.campaign import CampaignState
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline import blocks, comparison, destroy, enclose, load, retention, unlock
from campaigns.problem_texts import reject_sentence
from campaigns.views.access import View, member
from campaigns.views.workbook_match_shown import match_form, may_match
from campaigns.views.workbook_shown import groups, opened_rows, shown

PAGE = 50
UNREAD = (ReadingState.UPLOADED, ReadingState.READING)
STEPS = {
    ReadingState.UPLOADED: 2,
    ReadingState.READING: 2,
    ReadingState.REJECTED: 2,
    ReadingState.CHOOSING: 3,
    ReadingState.READ: 3,
    ReadingState.CONFIRMED: 4,
}


def page(view: View) -> View:
    """A member's page whose answer no cache may keep."""
    kept_nowhere = cache_control(no_store=True, private=True)(view)
    return member(Right.PAYSLIPS, Right.NEWSLETTERS)(kept_nowhere)


def find(request: HttpRequest, pk: int) -> Workbook:
    """A workbook of the team that is worked in; another's is not there."""
    rows = Workbook.objects.select_related(
        "data_key", "uploaded_by", "import_list", "repairs", "team"
    )
    return get_object_or_404(rows, team=request.team, pk=pk)


def right_of(workbook: Workbook) -> Right:
    return Right.PAYSLIPS if workbook.purpose == Purpose.PAYSLIP else Right.NEWSLETTERS


def may_act(request: HttpRequest, workbook: Workbook) -> bool:
    """Whether this user may see the content and decide on it; superusers need a grant as well."""
    return right_of(workbook) in request.rights and workbook.content_visible_to(request.user)


def find_own(request: HttpRequest, pk: int) -> Workbook:
    """A workbook that the user may act on; PermissionDenied for any other of the team's."""
    workbook = find(request, pk)
    if not may_act(request, workbook):
        raise PermissionDenied
    return workbook


@page
@require_safe
def workbook(request: HttpRequest, pk: int) -> HttpResponse:
    """The page of every state."""
    return show(request, find(request, pk))


def show(
    request: HttpRequest,
    workbook: Workbook,
    *,
    layout: LayoutForm | None = None,
    importing: ImportForm | None = None,
    unlocking: PasswordForm | None = None,
    matching: MatchForm | None = None,
) -> HttpResponse:
    """The page, with a form that was not accepted in place of its fresh one (status 422)."""
    acts = may_act(request, workbook)
    context: dict[str, Any] = {
        "workbook": workbook,
        "acts": acts,
        "may_delete": right_of(workbook) in request.rights,
        "step": STEPS[ReadingState(workbook.state)],
        "unread": workbook.state in UNREAD,
        "rejection": reject_sentence(
            workbook.reject_kind, workbook.reject_detail, workbook.reject_text
        ),
    }
    if not workbook.is_destroyed:
        context["destroyed_on"] = retention.destroyed_on(workbook)
    if acts and not workbook.is_destroyed:
        context |= shown(workbook)
        hidden = context["hidden"]["sheets"]
        context["layout"] = layout or LayoutForm(workbook=workbook, hidden=hidden)
        if unlock.is_locked(workbook):
            context["unlocking"] = unlocking or PasswordForm()
        if may_match(workbook):
            context["matching"] = matching or match_form(workbook, None)
        if workbook.purpose == Purpose.LIST and workbook.state == ReadingState.CONFIRMED:
            context["importing"] = importing or ImportForm(team=request.team)
    status = 422 if layout or importing or unlocking or matching else 200
    return render(request, "campaigns/workbooks/workbook.html", context, status=status)


@page
@require_safe
def workbook_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The live section; when its work is over the whole page is loaded again."""
    found = get_object_or_404(
        Workbook.objects.select_related("import_list").defer("sealed_findings"),
        team=request.team,
        pk=pk,
    )
    unread = found.state in UNREAD
    if not unread and not found.is_importing:
        return HttpResponseClientRefresh()
    context = {"workbook": found, "unread": unread}
    return render(request, "campaigns/workbooks/progress.html", context)


@page
@require_POST
def workbook_choose(request: HttpRequest, pk: int) -> HttpResponse:
    """Sheet, header, columns; or rows to take or to leave. The workbook is then read again."""
    workbook = find_own(request, pk)
    reading = row_number(request.POST.get("reading"))
    take, leave = (row_numbers(request.POST.getlist(name)) for name in ("take", "leave"))
    if take or leave:
        done = load.move_rows(workbook, reading=reading, take=take, leave=leave)
    elif "rows" in request.POST:
        messages.warning(request, _("没有选择任何行。"))
        return redirect("campaigns:workbook", pk)
    else:
        hidden = (workbook.findings.get("hidden") or {}).get("sheets", [])
        form = LayoutForm(request.POST, workbook=workbook, hidden=hidden)
        if not form.is_valid():
            return show(request, workbook, layout=form)
        done = load.choose(workbook, reading=reading, **form.choices())
    if not done:
        messages.error(request, _("工作簿正在读取、已经确认或刚被别人更改，请核对最新的内容。"))
    return redirect("campaigns:workbook", pk)


@page
@require_POST
def workbook_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """Exactly the reading that the person has seen."""
    workbook = find_own(request, pk)
    reading = row_number(request.POST.get("reading"))
    if load.confirm(workbook, request.user, reading=reading):
        messages.success(request, _("已确认 %(rows)d 位收件人。") % {"rows": workbook.row_count})
        if draft := _into_draft(request, workbook):
            return redirect("campaigns:campaign", draft)
    else:
        messages.error(request, _("没有确认：内容已经变化，请核对最新的内容后再确认。"))
    return redirect("campaigns:workbook", pk)


def _into_draft(request: HttpRequest, workbook: Workbook) -> int | None:
    """A mended file takes the former one's place in a draft that its user may read."""
    mine = Campaign.objects.filter(grants__user=request.user, team=request.team)
    if not mine.filter(pk=workbook.repairs_id).exists():
        return None
    # Without a join the state is asked again where the row was locked by a launch.
    drafts = Campaign.objects.filter(pk=workbook.repairs_id, state=CampaignState.DRAFT)
    if not drafts.update(workbook=workbook):
        return None
    enclose.workbook_changed(workbook.repairs_id or 0)
    comparison.ask(mine.get(pk=workbook.repairs_id), request.user)
    messages.success(request, _("草稿已换用这个工作簿。"))
    return workbook.repairs_id


@page
@require_safe
def workbook_rows(request: HttpRequest, pk: int) -> HttpResponse:
    """All recipients with every value, or (?kind=) all problems of one kind."""
    workbook = find_own(request, pk)
    if workbook.is_destroyed:
        return redirect("campaigns:workbook", pk)
    number = request.GET.get("page")
    context: dict[str, Any] = {"workbook": workbook}
    if kind := request.GET.get("kind"):
        found = groups(workbook.findings, limit=workbook.problem_count)
        group = next((group for group in found if group["kind"] == kind), None)
        problems = group["problems"] if group else []
        listed = Paginator(problems, 200).get_page(number)
        context |= {"group": group, "page": listed, "problems": list(listed)}
        return render(request, "campaigns/workbooks/problems.html", context)
    listed = Paginator(blocks.listed(workbook), PAGE).get_page(number)
    context |= {"page": listed, "rows": opened_rows(workbook, PAGE, rows=listed.object_list)}
    return render(request, "campaigns/workbooks/rows.html", context)


@page
@require_POST
def workbook_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """The content is destroyed for good, unless a campaign still needs it. Needs no grant: nothing
    is read by it, and the person who had one may have left."""
    workbook = find(request, pk)
    if right_of(workbook) not in request.rights:
        raise PermissionDenied
    if needed := destroy.destroy(workbook):
        names = "、".join(campaign.name for campaign in needed)
        messages.error(request, _("还不能删除：群发活动“%(names)s”还需要它。") % {"names": names})
        return redirect("campaigns:workbook", pk)
    messages.success(request, _("工作簿的内容已销毁。"))
    return redirect("campaigns:workbooks")


def row_number(value: str | None) -> int:
    """A row or reading of a form; -1, which none has, for what is no number."""
    text = value or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else -1


def row_numbers(values: list[str]) -> list[int]:
    return [number for value in values if (number := row_number(value)) > 0]

"""Next month: a workbook whose columns are known, and the one click that makes its campaign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods

from accounts.models import Right
from campaigns.forms.next_month import BeginForm
from campaigns.models import Campaign, SendingHours, Workbook
from campaigns.models.template import Kind
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline import comparison, next_month
from campaigns.pipeline.next_month import Offer
from campaigns.views.access import member
from campaigns.views.found import named
from campaigns.views.workbook import find_own


@member(Right.PAYSLIPS)
@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(no_store=True, private=True)
def workbook_next(request: HttpRequest, pk: int) -> HttpResponse:
    """What would be taken over from which campaign (a part of the workbook's page, or a page); POST does it.

    ?source=… is another campaign than the most alike one.
    """
    workbook = find_own(request, pk)
    if workbook.purpose != Purpose.PAYSLIP or workbook.is_destroyed:
        raise Http404
    found = next_month.offers(workbook, request.user)
    chosen = _chosen(request, workbook, found)
    if request.method == "POST":
        return _begin(request, workbook, chosen, found)
    return _page(request, workbook, chosen, found)


def _chosen(request: HttpRequest, workbook: Workbook, found: Sequence[Offer]) -> Offer | None:
    """The wanted campaign's offer; the most alike one where none is named. Http404 for what is not there."""
    given = (request.POST if request.method == "POST" else request.GET).get("source")
    mine = Campaign.objects.filter(team=request.team, kind=Kind.PAYSLIP, grants__user=request.user)
    source = named(mine, given)
    if source is None:
        return found[0] if found else None
    offer = next_month.offer(source, workbook, request.user)
    if offer is None:
        raise Http404
    return offer


def _begin(
    request: HttpRequest, workbook: Workbook, chosen: Offer | None, found: Sequence[Offer]
) -> HttpResponse:
    if chosen is None:
        raise Http404
    form = BeginForm(request.POST)
    if workbook.state != ReadingState.CONFIRMED:
        messages.error(request, _("请先核对并确认这个工作簿。"))
        return redirect("campaigns:workbook", workbook.pk)
    if not form.is_valid():
        return _page(request, workbook, chosen, found, form=form)
    renamed = {
        old: new
        for number, (old, new) in enumerate(chosen.difference.renamed.items())
        if f"same-{number}" in request.POST
    }
    campaign = next_month.begin(
        chosen, workbook, request.user, renamed=renamed, **form.cleaned_data
    )
    comparison.ask(campaign, request.user)
    messages.success(
        request,
        _("草稿已建好，设置沿用自“%(name)s”。请看看发送前检查，都可以修改。")
        % {"name": chosen.source.name},
    )
    return redirect("campaigns:campaign", campaign.pk)


def _page(
    request: HttpRequest,
    workbook: Workbook,
    chosen: Offer | None,
    found: Sequence[Offer],
    *,
    form: BeginForm | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {
        "workbook": workbook,
        "offer": chosen,
        "others": [offer for offer in found if chosen and offer.source.pk != chosen.source.pk],
        "confirmed": workbook.state == ReadingState.CONFIRMED,
        "used": Campaign.objects.filter(workbook=workbook).only("name").first(),
        "team": request.team,
    }
    if chosen is not None:
        source = chosen.source
        context |= {
            "carriers": source.carriers.select_related("relay").defer("relay__secret"),
            "hours": SendingHours.objects.filter(campaign=source).first(),
            "stops": source.stop_bounce_percent
            or source.stop_complaint_percent
            or source.stop_refusals,
        }
        context["form"] = form or BeginForm(
            initial={"name": chosen.name, "subject": chosen.subject}
        )
    page = "next_card.html" if request.htmx else "next.html"
    status = 422 if form is not None and form.errors else 200
    return render(request, f"campaigns/workbooks/{page}", context, status=status)

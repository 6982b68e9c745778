"""A payroll beside the month before: the card on its draft, the list of who differs, and the settings.

Names and amounts of two months: who may not read both sees numbers of people alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from campaigns.forms.comparison import ComparisonForm
from campaigns.models import Campaign, Comparison, Delivery
from campaigns.models.campaign import CampaignState
from campaigns.models.comparison import Extent
from campaigns.models.delivery import DeliveryPurpose
from campaigns.pipeline import comparison
from campaigns.pipeline.month_changes import LISTED, Kind
from campaigns.views.access import member
from campaigns.views.found import own_readable_campaign, readable_campaign, right_for

PAGE = 50
LABELS: Mapping[str, Promise] = {
    Kind.MISSING: _("上月有，这月没有"),
    Kind.NEW: _("这月新来的"),
    Kind.ADDRESS: _("邮箱变了"),
    Kind.CHANGED: _("金额变动大"),
    Kind.NOT_POSITIVE: _("实发不大于零"),
    Kind.SAME: _("和上月一样"),
}
ICONS = {
    Kind.MISSING: "minus",
    Kind.NEW: "user-plus",
    Kind.ADDRESS: "at",
    Kind.CHANGED: "chart-bar",
    Kind.NOT_POSITIVE: "alert-triangle",
    Kind.SAME: "copy",
}
# A bar of this many hundredths is a change of a hundred percent, to either side.
HALF = 50


@member()
@require_safe
@cache_control(private=True, no_store=True)
def comparison_card(request: HttpRequest, pk: int) -> HttpResponse:
    """A part of the campaign's page, polled while a worker compares; says to the page when it is done."""
    campaign = readable_campaign(request, pk)
    row = _row(campaign)
    if not campaign.is_payslip or (row is None and campaign.state != CampaignState.DRAFT):
        return HttpResponse()
    was, standing = request.GET.get("was", ""), _standing(request, campaign, row)
    if was == "page" and not standing["making"]:
        return HttpResponseClientRefresh()
    context = {**standing, "place": "page" if was == "page" else "card"}
    response = render(request, "campaigns/campaigns/comparison_card.html", context)
    if was and not standing["making"]:
        response["HX-Trigger"] = "compared"  # the pre-flight beside it looks again
    return response


@member()
@require_safe
@cache_control(private=True, no_store=True)
def campaign_comparison(request: HttpRequest, pk: int) -> HttpResponse:
    """Everybody of whom something is said, by kind (?state=), with the ways to both slips."""
    campaign = _payroll(request, pk)
    row = _row(campaign)
    context = _standing(request, campaign, row)
    found = comparison.opened(row, campaign) if row and context["open"] else {}
    people = found.get("people", [])
    kind = request.GET.get("state", "")
    if kind in set(Kind):
        people = [one for one in people if kind in one["kinds"]]
    page = Paginator(people, PAGE).get_page(request.GET.get("page"))
    context |= {
        "current": kind if kind in set(Kind) else "",
        "chips": [
            {"value": one["kind"], "label": one["label"], "count": one["number"]}
            for one in context["kinds"]
        ],
        "page": page,
        "people": _people(campaign, page.object_list, share=row.share if row else 0),
        "capped": LISTED if any(one["number"] > LISTED for one in context["kinds"]) else 0,
        "unread": found.get("unread", {}),
        "renamed": found.get("renamed", {}),
        "form": _form(request, campaign, row, found),
        "before": found.get("before", 0),
        "now": found.get("now", 0),
    }
    return render(request, "campaigns/campaigns/comparison.html", context)


@member()
@require_POST
def comparison_ask(request: HttpRequest, pk: int) -> HttpResponse:
    """Compares (again), by the settings of the form where there are any."""
    campaign = own_readable_campaign(request, pk)
    if not campaign.is_payslip or campaign.workbook is None or campaign.workbook.is_destroyed:
        raise Http404
    row = _row(campaign)
    if "share" not in request.POST:
        comparison.ask(campaign, request.user)
        return redirect("campaigns:campaign", pk)
    found = comparison.opened(row, campaign) if row else {}
    form = _form(request, campaign, row, found, request.POST)
    if not form.is_valid():
        context = _standing(request, campaign, row) | {"form": form, "people": []}
        return render(request, "campaigns/campaigns/comparison.html", context, status=422)
    comparison.ask(
        campaign,
        request.user,
        against=form.cleaned_data["against"],
        automatic=form.cleaned_data["against"] is None,
        share=form.cleaned_data["share"],
        columns=form.cleaned_data.get("columns"),
    )
    return redirect("campaigns:campaign_comparison", pk)


def _payroll(request: HttpRequest, pk: int) -> Campaign:
    campaign = readable_campaign(request, pk)
    if not campaign.is_payslip or campaign.workbook is None:
        raise Http404
    return campaign


def _row(campaign: Campaign) -> Comparison | None:
    rows = Comparison.objects.select_related("against__workbook__data_key")
    heavy = rows.defer("against__frozen_html", "against__frozen_text")
    return heavy.filter(campaign=campaign).first()


def _form(
    request: HttpRequest,
    campaign: Campaign,
    row: Comparison | None,
    found: Mapping[str, Any],
    *data: Any,
) -> ComparisonForm:
    return ComparisonForm(
        *data,
        comparison=row,
        campaigns=comparison.choices(campaign, request.user).only("name"),
        columns=found.get("choices", ()),
        watched=found.get("watched", ()),
    )


def _standing(request: HttpRequest, campaign: Campaign, row: Comparison | None) -> dict[str, Any]:
    """What card and page both say: how far it is, with which month, how many people of each kind."""
    making = row is not None and row.ended_at is None
    current = row is not None and comparison.is_current(row, campaign)
    counts = row.counts if row is not None and current else {}
    kinds = [
        {"kind": kind.value, "label": LABELS[kind], "icon": ICONS[kind], "number": counts[kind]}
        for kind in Kind
        if counts.get(kind)
    ]
    top = max((one["number"] for one in kinds), default=1)
    against = row.against if row is not None else None
    return {
        "campaign": campaign,
        "comparison": row,
        "against": against,
        "making": making,
        "current": "",
        "stale": row is not None and not making and not current,
        "failed": bool(row is not None and row.counts.get(comparison.FAILED)),
        "addresses_only": row is not None and row.extent == Extent.ADDRESSES,
        "destroyed": bool(against and against.workbook and against.workbook.is_destroyed),
        "open": row is not None and comparison.visible_to(row, request.user),
        "gone": row is not None and current and row.sealed is None and not counts.get("failed"),
        "unread_number": counts.get(comparison.UNREAD, 0),
        "kinds": [{**one, "width": 100 * one["number"] // top or 1} for one in kinds],
        "may_act": right_for(campaign.kind) in request.rights,
    }


def _people(
    campaign: Campaign, entries: Iterable[Mapping[str, Any]], *, share: int
) -> list[dict[str, Any]]:
    """One page of them, with the deliveries of the month before, asked for at once."""
    entries = list(entries)
    before = _deliveries_before([one["before"] for one in entries if one["before"]])
    return [
        {
            **one,
            "labels": [LABELS[kind] for kind in one["kinds"]],
            "delivery": before.get(tuple(one["before"])) if one["before"] else None,
            "changes": [_change(*change) for change in one.get("changes", ())],
            "is_low": Kind.NOT_POSITIVE in one["kinds"],
        }
        for one in entries
    ]


def _deliveries_before(sources: Iterable[Any]) -> dict[tuple[int, str], int]:
    wanted = {(campaign, key) for campaign, key in sources}
    rows = Delivery.objects.filter(
        campaign__in={campaign for campaign, _key in wanted},
        source_key__in={key for _campaign, key in wanted},
        purpose=DeliveryPurpose.CAMPAIGN,
    )
    return {(one, key): pk for one, key, pk in rows.values_list("campaign_id", "source_key", "pk")}


def _change(
    column: str, old: str, new: str, difference: str, percent: str | None
) -> dict[str, Any]:
    """With a bar from the middle: to the right for more, to the left for less, full from ±100 % on."""
    size = min(abs(Decimal(percent)) if percent else Decimal(100), Decimal(100))
    width = max(int(size * HALF / 100), 1)
    less = difference.startswith("-")
    return {
        "column": column,
        "old": old,
        "new": new,
        "difference": difference,
        "percent": f"{'' if less else '+'}{percent}%" if percent else "",
        "less": less,
        "x": HALF - width if less else HALF,
        "width": width,
    }

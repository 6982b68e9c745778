"""Opens and clicks of a newsletter: the report, the recipients behind a number, and what other pages show of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import Right
from campaigns.models import Campaign, Contact, Delivery, RecipientHit
from campaigns.models.tracking import OPEN, Tracking, Visitor
from campaigns.pipeline import tracking_report
from campaigns.pipeline.tracking_report import MACHINES, PEOPLE, Report
from campaigns.views.access import member
from campaigns.views.found import campaign_of
from campaigns.views.pages import keyset

PAGE = 50


@member(Right.NEWSLETTERS)
@require_safe
def campaign_tracking(request: HttpRequest, pk: int) -> HttpResponse:
    """Counts: nothing here says who."""
    campaign = _tracked(request, pk)
    report = tracking_report.report_of(campaign)
    context = {
        "campaign": campaign,
        "report": report,
        "individual": campaign.tracking == Tracking.INDIVIDUAL,
        "chart": _chart(report) if report.moments else None,
        "machines": [
            {"label": Visitor(visitor).label, "number": number}
            for visitor, number in report.machines.items()
        ],
        "sent": campaign.counts.get("accepted", 0),
    }
    return render(request, "campaigns/campaigns/tracking.html", context)


@member(Right.NEWSLETTERS)
@require_safe
def campaign_tracking_rows(request: HttpRequest, pk: int) -> HttpResponse:
    """Who, where the campaign tracks individuals; ?link=0, which is the default, is the opens."""
    campaign = _tracked(request, pk)
    given = request.GET.get("link", "0")
    link = int(given) if given.isascii() and given.isdecimal() and len(given) < 7 else -1
    if campaign.tracking != Tracking.INDIVIDUAL or not 0 <= link <= len(campaign.frozen_links):
        raise Http404
    state = request.GET.get("state", "")
    rows = tracking_report.rows_of(campaign, link, state)
    context = {
        "campaign": campaign,
        "link": link,
        "label": label_of(campaign, link),
        "keyset": keyset(rows, request, size=PAGE),
        "state": state,
        "chips": [
            {"value": PEOPLE, "label": _("人"), "count": None},
            {"value": MACHINES, "label": _("只有机器"), "count": None},
        ],
    }
    return render(request, "campaigns/campaigns/tracking_rows.html", context)


def shown_of_delivery(request: HttpRequest, delivery: Delivery) -> list[dict[str, Any]]:
    """For a delivery's page: what one recipient opened, if his campaign says so and the reader may know."""
    campaign = delivery.campaign
    if campaign.tracking != Tracking.INDIVIDUAL or Right.NEWSLETTERS not in request.rights:
        return []
    rows = list(delivery.recipient_hits.order_by("link"))
    for row in rows:
        row.campaign = campaign
    return _shown(rows)


def shown_of_contact(contact: Contact) -> list[dict[str, Any]]:
    return _shown(tracking_report.of_contact(contact))


def _shown(rows: Iterable[RecipientHit]) -> list[dict[str, Any]]:
    return [
        {"row": row, "campaign": row.campaign, "label": label_of(row.campaign, row.link)}
        for row in rows
    ]


def label_of(campaign: Campaign, link: int) -> str:
    """The target as the template writes it."""
    if link == OPEN:
        return _("打开")
    return str(campaign.frozen_links[link - 1]) if link <= len(campaign.frozen_links) else str(link)


def _tracked(request: HttpRequest, pk: int) -> Campaign:
    campaign = campaign_of(request, pk)
    if campaign.is_payslip or not campaign.tracking or campaign.launched_at is None:
        raise Http404
    return campaign


def _chart(report: Report) -> dict[str, Any]:
    """For components/chart.html."""
    form = "%m-%d %H:%M" if report.by_hour else "%m-%d"
    moments = report.moments
    series = [
        {"label": _("打开（人）"), "state": "scheduled", "values": [one.opens for one in moments]},
        {"label": _("点击（人）"), "state": "accepted", "values": [one.clicks for one in moments]},
        {"label": _("机器"), "state": "queued", "values": [one.machines for one in moments]},
    ]
    return {"labels": [one.at.strftime(form) for one in moments], "series": series}

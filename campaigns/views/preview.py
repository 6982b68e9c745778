"""Preview: one recipient's message as it will be sent: HTML at two widths, text, header, source."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from campaigns.models import Campaign
from campaigns.pipeline import preview
from campaigns.pipeline.compose import Unsendable
from campaigns.reasons import sentence
from campaigns.views.access import member
from campaigns.views.figures import extremes_shown
from campaigns.views.found import named, readable_campaign, right_for
from campaigns.views.framed import framed

VIEWS = ("html", "phone", "text", "headers", "source")
LONGEST_SOURCE = 200_000


@member()
@require_safe
@cache_control(private=True, no_store=True)
def campaign_preview(request: HttpRequest, pk: int) -> HttpResponse:
    """?at=<id of the row or contact>; the first one otherwise."""
    campaign = readable_campaign(request, pk)
    return _page(request, campaign, _at(campaign, request.GET.get("at")), request.GET.get("view"))


@member()
@require_POST
@cache_control(private=True, no_store=True)
def campaign_preview_search(request: HttpRequest, pk: int) -> HttpResponse:
    """By row number, address or name: posted, so that no name is in an address that a proxy logs. One
    that is found is gone on to by its id; several are listed."""
    campaign = readable_campaign(request, pk)
    # PostgreSQL takes no NUL in a text.
    words = request.POST.get("q", "").replace("\0", "").strip()[:100]
    view = request.POST.get("view", "")
    found = preview.search(campaign, words) if words else []
    if len(found) == 1 or not words:
        response = redirect("campaigns:campaign_preview", pk)
        at = f"at={found[0].pk}&" if found else ""
        response["Location"] += f"?{at}view={view if view in VIEWS else VIEWS[0]}"
        return response
    first = found[0] if found else preview.recipients(campaign).first()
    return _page(request, campaign, first, view, query=words, missed=not found, found=found)


def _page(
    request: HttpRequest,
    campaign: Campaign,
    recipient: preview.Recipient | None,
    view: str | None,
    **searched: Any,
) -> HttpResponse:
    context: dict[str, Any] = {
        "campaign": campaign,
        "recipient": recipient,
        "here": reverse("campaigns:campaign_preview", args=[campaign.pk]),
        "view": view if view in VIEWS else "html",
        "views": VIEWS,
        "may_act": right_for(campaign.kind) in request.rights,
        **searched,
    }
    if recipient is not None:
        context |= {"place": preview.place_of(campaign, recipient), **_shown(campaign, recipient)}
        context |= extremes_shown(campaign, request.user)
        matched_by = preview.matched_by(campaign, recipient)
        context["matched_by"] = None if matched_by is None else matched_by or _("姓名")
    return render(request, "campaigns/campaigns/preview.html", context)


@member()
@require_safe
def campaign_preview_html(request: HttpRequest, pk: int) -> HttpResponse:
    """The HTML part for the frame, at an address of its own."""
    campaign = readable_campaign(request, pk)
    recipient = named(preview.recipients(campaign), request.GET.get("at"))
    if recipient is None:
        raise Http404
    shown = _shown(campaign, recipient)["shown"]
    if shown is None:
        raise Http404
    return framed(shown.html)


@member()
@require_safe
def campaign_preview_file(request: HttpRequest, pk: int) -> HttpResponse:
    """?at=…&file=<0, 1, …>: the file as its person gets it, still encrypted."""
    campaign = readable_campaign(request, pk)
    recipient = named(preview.recipients(campaign), request.GET.get("at"))
    shown = _shown(campaign, recipient)["shown"] if recipient is not None else None
    number = request.GET.get("file", "0")
    files = shown.files if shown is not None else ()
    is_short = number.isascii() and number.isdecimal() and len(number) < 4
    if not (is_short and int(number) < len(files)):
        raise Http404
    return download(files[int(number)])


def download(file: preview.Attachment) -> HttpResponse:
    """For saving, never shown as a page of ours."""
    response = HttpResponse(file.data, content_type=file.media_type)
    response["Content-Disposition"] = content_disposition_header(True, file.name)
    response["Cache-Control"] = "no-store, private"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _at(campaign: Campaign, value: str | None) -> preview.Recipient | None:
    """The recipient of this id, or the one in whose message this row is; the first one without an id."""
    recipients = preview.recipients(campaign)
    if value and value.isascii() and value.isdecimal() and len(value) <= 18:
        found = recipients.filter(pk=int(value)).first()
        if other := found or preview.in_place_of(campaign, int(value)):
            return other
    return named(recipients, value) or recipients.first()


def _shown(campaign: Campaign, recipient: preview.Recipient) -> dict[str, Any]:
    """The message, or which cell is to blame."""
    delivery = preview.delivery_for(campaign, recipient)
    try:
        shown = preview.show(campaign, delivery)
    except Unsendable as error:
        return {"shown": None, "why": sentence(error.reason), "detail": error.detail}
    return {
        "shown": shown,
        "source": shown.source[:LONGEST_SOURCE].decode("utf-8", "replace"),
        "is_cut": len(shown.source) > LONGEST_SOURCE,
        "size": len(shown.source),
    }

"""Preview: one recipient's message as it will be sent: HTML at two widths, text, header, source."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from campaigns.models import Campaign
from campaigns.pipeline import preview
from campaigns.pipeline.compose import Unsendable
from campaigns.reasons import sentence
from campaigns.views.access import member
from campaigns.views.found import named, readable_campaign, right_for
from campaigns.views.framed import framed

VIEWS = ("html", "phone", "text", "headers", "source")
LONGEST_SOURCE = 200_000


@member()
@require_safe
@cache_control(private=True, no_store=True)
def campaign_preview(request: HttpRequest, pk: int) -> HttpResponse:
    """?at=<id of the row or contact>, ?q=<row number, address or name>; the first one otherwise."""
    campaign = readable_campaign(request, pk)
    words, view = request.GET.get("q", "").strip()[:100], request.GET.get("view", "")
    recipient, missed = _wanted(campaign, request, words)
    context: dict[str, Any] = {
        "campaign": campaign,
        "recipient": recipient,
        "query": words,
        "missed": missed,
        "view": view if view in VIEWS else "html",
        "views": VIEWS,
        "may_act": right_for(campaign.kind) in request.rights,
    }
    if recipient is not None:
        context |= {"place": preview.place_of(campaign, recipient), **_shown(campaign, recipient)}
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
    if not (number.isascii() and number.isdecimal() and int(number[:3]) < len(files)):
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


def _wanted(campaign: Campaign, request: HttpRequest, words: str) -> tuple[Any, bool]:
    """The recipient, and whether the words found nobody (then the first one is shown)."""
    recipients = preview.recipients(campaign)
    if words:
        found = preview.search(campaign, words)
        return (found or recipients.first()), found is None
    return named(recipients, request.GET.get("at")) or recipients.first(), False


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

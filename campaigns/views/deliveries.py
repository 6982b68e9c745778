"""Deliveries: by state, campaign and address, paged by key."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import Relay
from campaigns.models import Campaign, Delivery, Feedback
from campaigns.models.confirmation import ConfirmationState
from campaigns.models.delivery import DeliveryPurpose, DeliveryState
from campaigns.models.feedback import FeedbackKind
from campaigns.pipeline.confirm import by_state
from campaigns.pipeline.counts import BOUNCED
from campaigns.templatetags.states import FEEDBACK
from campaigns.views.access import member
from campaigns.views.confirmations import counts_shown
from campaigns.views.found import campaign_of, named
from campaigns.views.pages import keyset
from campaigns.views.search import words_of

PAGE = 50
SHOWN = (
    *("campaign_id", "campaign__name", "purpose", "address", "row_number", "state"),
    *("reason", "detail", "code", "enhanced", "attempts", "changed_at"),
)


@member()
@require_safe
def deliveries(request: HttpRequest) -> HttpResponse:
    """All of the team's, newest first."""
    campaigns = Campaign.objects.filter(team=request.team)
    chosen = named(campaigns, request.GET.get("campaign"))
    rows = Delivery.objects.filter(team=request.team)
    rows = rows.filter(campaign=chosen) if chosen else rows
    context = _page(request, rows, descending=True, counts={})
    recent = campaigns.order_by("-created_at").values_list("pk", "name")[:50]
    options = [
        {"value": pk, "label": name, "selected": chosen is not None and chosen.pk == pk}
        for pk, name in recent
    ]
    filters = [{"name": "campaign", "label": _("全部活动"), "options": options}]
    return render(request, "campaigns/deliveries/deliveries.html", {**context, "filters": filters})


@member()
@require_safe
def campaign_deliveries(request: HttpRequest, pk: int) -> HttpResponse:
    """One campaign's, in the order of the sheet; tests are on the campaign's own page."""
    campaign = campaign_of(request, pk)
    rows = Delivery.objects.filter(campaign=campaign).exclude(purpose=DeliveryPurpose.TEST)
    relays = Relay.objects.filter(team=request.team)
    chosen = named(relays, request.GET.get("relay"))
    rows = rows.filter(relay=chosen) if chosen else rows
    answers = counts_shown(campaign).get("confirmations", {})
    context = _page(request, rows, descending=False, counts={**campaign.counts, **answers})
    context |= {"campaign": campaign, "filters": _relays(campaign, chosen)}
    if chosen:
        # The counts are the whole campaign's.
        context |= {"chips": _chips({}), "total": None}
    return render(request, "campaigns/deliveries/deliveries.html", context)


def _relays(campaign: Campaign, chosen: Relay | None) -> list[dict[str, Any]]:
    """Where several relays carry it: whose deliveries are shown."""
    options = [
        {"value": relay.pk, "label": relay.name, "selected": relay == chosen}
        for relay in (carrier.relay for carrier in campaign.carriers.all())
    ]
    return [{"name": "relay", "label": _("全部发信账号"), "options": options}] if options else []


def _page(
    request: HttpRequest, rows: QuerySet[Delivery], *, descending: bool, counts: dict[str, int]
) -> dict[str, Any]:
    state, words = request.GET.get("state", ""), words_of(request)
    if state in DeliveryState.values:
        rows = rows.filter(state=state)
    elif state in ConfirmationState.values:
        rows = by_state(rows, state)
    elif state == BOUNCED:
        rows = rows.filter(Exists(bounces()))
    if words:
        rows = _searched(rows, words.lower())
    page = keyset(
        rows.select_related("campaign").only(*SHOWN), request, size=PAGE, descending=descending
    )
    bounced = bounces_of(page.rows)
    return {
        "keyset": page,
        "rows": [{"delivery": row, "bounces": bounced.get(row.pk, [])} for row in page.rows],
        "query": words,
        "state": state,
        "keep": {"state": state},
        "chips": _chips(counts),
        "total": sum(counts.get(code, 0) for code in DeliveryState.values) or None,
        "filtered": bool(words or state or request.GET.get("campaign") or request.GET.get("relay")),
    }


def _searched(rows: QuerySet[Delivery], words: str) -> QuerySet[Delivery]:
    """A row's number, or a part of the address."""
    if words.isascii() and words.isdecimal() and len(words) < 9:
        return rows.filter(row_number=int(words))
    return rows.filter(address_key__contains=words)


def bounces() -> QuerySet[Feedback]:
    """Proven bounces of the outer delivery; a campaign's are found by its index."""
    return Feedback.objects.filter(
        delivery=OuterRef("pk"), campaign=OuterRef("campaign"), kind=FeedbackKind.BOUNCE
    ).exclude(proof="")


def bounces_of(rows: list[Delivery]) -> dict[int, list[str]]:
    """hard or soft for each bounce of these deliveries."""
    found: dict[int, list[str]] = {}
    feedback = Feedback.objects.filter(delivery__in=[row.pk for row in rows]).filter(
        kind=FeedbackKind.BOUNCE
    )
    for pk, hard in feedback.exclude(proof="").values_list("delivery_id", "hard"):
        found.setdefault(pk, []).append("hard" if hard else "soft")
    return found


def _chips(counts: dict[str, int]) -> list[dict[str, Any]]:
    """All states, or those of the campaign that there are."""
    states: list[tuple[str, Any]] = [
        *DeliveryState.choices,
        (BOUNCED, FEEDBACK["bounce"].label),
        *(ConfirmationState.choices if counts else ()),
    ]
    return [
        {"value": value, "label": label, "count": counts.get(value)}
        for value, label in states
        if not counts or counts.get(value)
    ]

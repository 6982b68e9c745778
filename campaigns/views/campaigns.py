"""All campaigns of the team: what each is, how far it is, when it was or will be sent."""

from __future__ import annotations

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import Right
from campaigns.models import Campaign, CampaignCount
from campaigns.models.campaign import CampaignState
from campaigns.models.template import Kind
from campaigns.views.access import member
from campaigns.views.pages import keyset
from campaigns.views.search import words_of

PAGE = 30


@member()
@require_safe
def campaigns(request: HttpRequest) -> HttpResponse:
    """The newest first, by state and by a part of the name."""
    state, words = request.GET.get("state", ""), words_of(request)
    rows = Campaign.objects.filter(team=request.team)
    if state in CampaignState.values:
        rows = rows.filter(state=state)
    if words:
        rows = rows.filter(name__icontains=words)
    found = listed(rows)
    page = keyset(found, request, size=PAGE, descending=True)
    context = {
        "keyset": page,
        "rows": [row_of(campaign) for campaign in page.rows],
        "query": words,
        "state": state,
        "keep": {"state": state},
        "chips": [
            {"value": value, "label": label, "count": None}
            for value, label in CampaignState.choices
        ],
        "filtered": bool(words or state),
        "may_make": bool({Right.PAYSLIPS, Right.NEWSLETTERS} & request.rights),
    }
    return render(request, "campaigns/campaigns/campaigns.html", context)


def listed(rows):
    """With what a row of a list shows, and nothing of the content."""
    counts = Prefetch("state_counts", CampaignCount.objects.only("campaign_id", "state", "number"))
    return (
        rows.select_related("relay", "workbook", "contact_list")
        .only(
            *("kind", "name", "state", "hold_reason", "scheduled_at", "launched_at"),
            *("finished_at", "created_at", "relay__name", "workbook__name", "contact_list__name"),
        )
        .prefetch_related(counts)
    )


def row_of(campaign: Campaign) -> dict[str, object]:
    """A campaign with its counts apart: `bounced` is no state of a delivery."""
    counts = campaign.counts
    bounced = counts.pop("bounced", 0)
    return {
        "campaign": campaign,
        "counts": counts,
        "bounced": bounced,
        "total": sum(counts.values()),
        "kind": Kind(campaign.kind).label,
    }

"""Taking a payslip campaign back, with the honest words about what that cannot do."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.forms.resend import RecallForm
from campaigns.models import Campaign
from campaigns.models.campaign import CampaignState
from campaigns.models.delivery import DeliveryState
from campaigns.pipeline import recall
from campaigns.views.access import member
from campaigns.views.found import own_campaign


def recall_shown(campaign: Campaign, counts: dict[str, int]) -> dict[str, Any]:
    """For the campaign's page: whether it can be taken back, what has left, and what puts it right."""
    if not campaign.is_payslip or campaign.launched_at is None:
        return {}
    left = (DeliveryState.ACCEPTED, DeliveryState.IN_DOUBT, DeliveryState.SENDING)
    return {
        # Before it is planned nothing has left: it goes back to being a draft, or is cancelled.
        "may_recall": recall.may_recall(campaign) and campaign.planned_at is not None,
        "left_number": sum(counts.get(state, 0) for state in left),
        "may_correct": campaign.state in (CampaignState.FINISHED, CampaignState.CANCELLED),
        "corrections": list(campaign.corrections.order_by("pk")[:20]),
    }


@member()
@require_POST
def campaign_recall(request: HttpRequest, pk: int) -> HttpResponse:
    """Needs no grant: whoever may send payslips may stop them."""
    campaign, form = own_campaign(request, pk), RecallForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("请写下撤回的原因。"))
    elif recall.recall(campaign, request.user, form.cleaned_data["reason"]):
        messages.success(request, _("已撤回：没发出的不会再发，确认链接都已失效。"))
    else:
        messages.info(request, _("状态已经变了，这一步没有生效。"))
    return redirect("campaigns:campaign", pk)

"""What employees answered: counted on a campaign's page, read on a delivery's, and asked for once more."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.models import Campaign, Delivery
from campaigns.models.delivery import DeliveryPurpose
from campaigns.pipeline import confirm, remind
from campaigns.views.access import member
from campaigns.views.found import own_readable_campaign


def counts_shown(campaign: Campaign) -> dict[str, Any]:
    """For the campaign's card; nothing for one that asks for no confirmation."""
    if not campaign.confirm_days or campaign.planned_at is None:
        return {}
    return {
        "confirmations": confirm.counts_of(campaign),
        "may_remind": remind.may_remind(campaign),
    }


def answer_shown(delivery: Delivery, *, readable: bool) -> dict[str, Any]:
    """For a delivery's page: what its employee did, and his words for a reader with a grant."""
    campaign = delivery.campaign
    if not campaign.confirm_days or delivery.purpose == DeliveryPurpose.TEST:
        return {}
    row = confirm.of(delivery)
    return {
        "asked": True,
        "confirmation": row,
        "disputes": confirm.disputes(row) if row and readable else [],
    }


@member()
@require_POST
def campaign_remind(request: HttpRequest, pk: int) -> HttpResponse:
    """One reminder to each who has not answered."""
    number = remind.remind(own_readable_campaign(request, pk))
    if number:
        messages.success(request, _("正在提醒 %(number)s 位还没有确认的人。") % {"number": number})
    else:
        messages.info(request, _("没有需要提醒的人，或者提醒已经在发送了。"))
    return redirect("campaigns:campaign", pk)

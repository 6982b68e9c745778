"""Who may read a payslip campaign: said by those who may, one colleague at a time, and taken back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import Right, User
from accounts.models.team import RIGHTS
from campaigns.models import Campaign, ContentGrant
from campaigns.views.access import member
from campaigns.views.found import named, own_readable_campaign


def readers_shown(campaign: Campaign) -> dict[str, Any]:
    """For the page of somebody who may read it himself."""
    if not campaign.is_payslip:
        return {}
    return {
        "readers": list(campaign.grants.select_related("user").order_by("pk")),
        "possible_readers": list(
            _colleagues(campaign).exclude(pk__in=campaign.grants.values("user"))[:200]
        ),
    }


def _colleagues(campaign: Campaign) -> QuerySet[User]:
    """Those of the team whose roles let them send payslips."""
    roles = [role for role, rights in RIGHTS.items() if Right.PAYSLIPS in rights]
    mine = User.objects.filter(memberships__team=campaign.team_id, memberships__role__in=roles)
    return mine.filter(is_active=True).distinct().order_by("email")


@member()
@require_POST
def campaign_grant(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = own_readable_campaign(request, pk)
    colleague = named(_colleagues(campaign), request.POST.get("user"))
    if colleague is not None:
        ContentGrant.objects.get_or_create(
            campaign=campaign,
            user=colleague,
            defaults={"team": campaign.team, "granted_by": request.user},
        )
        messages.success(request, _("%(email)s 现在能看内容。") % {"email": colleague.email})
    return redirect("campaigns:campaign", pk)


@member()
@require_POST
def campaign_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Not the last reader's: nobody could give a grant any more."""
    campaign = own_readable_campaign(request, pk)
    grant = named(campaign.grants.all(), request.POST.get("grant"))
    if grant is not None and campaign.grants.count() > 1:
        grant.delete()
        messages.success(request, _("已收回。"))
    else:
        messages.info(request, _("至少要有一个人能看内容。"))
    return redirect("campaigns:campaign", pk)

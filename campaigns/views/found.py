"""Rows by their ids: another team's row is not there, also where a form names it."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from accounts.models import Right
from campaigns.models import Campaign, CampaignRelay, Workbook
from campaigns.models.template import Kind
from campaigns.models.workbook import Purpose, ReadingState


def right_for(kind: str) -> Right:
    """The right that makes campaigns and templates of this kind."""
    return Right.PAYSLIPS if kind == Kind.PAYSLIP else Right.NEWSLETTERS


def must_have(request: HttpRequest, right: Right) -> None:
    if right not in request.rights:
        raise PermissionDenied


def named(rows: QuerySet[Any], value: str | None) -> Any:
    """The row with this id of a form or query; None for no value, Http404 for what is not there."""
    if not value:
        return None
    if not value.isascii() or not value.isdecimal() or len(value) > 18:
        raise Http404
    return get_object_or_404(rows, pk=int(value))


def campaign_of(request: HttpRequest, pk: int) -> Campaign:
    """A campaign of the team that is worked in, with what its pages show."""
    rows = Campaign.objects.filter(team=request.team).select_related(
        *("team", "template", "relay", "workbook", "contact_list"),
        *("created_by", "launched_by", "recalled_by", "corrects", "layout", "continues"),
    )
    carriers = CampaignRelay.objects.select_related("relay").order_by("pk")
    carriers = carriers.defer("relay__secret", "relay__ca_pem")
    rows = rows.prefetch_related(Prefetch("carriers", queryset=carriers))
    return get_object_or_404(rows.defer("relay__secret", "relay__ca_pem", "layout__history"), pk=pk)


def own_campaign(request: HttpRequest, pk: int) -> Campaign:
    """A campaign that the user's rights let him act on."""
    campaign = campaign_of(request, pk)
    must_have(request, right_for(campaign.kind))
    return campaign


def readable_campaign(request: HttpRequest, pk: int) -> Campaign:
    """A campaign whose content the user may read: superusers need a grant like everybody."""
    campaign = campaign_of(request, pk)
    if not campaign.content_visible_to(request.user):
        raise PermissionDenied
    return campaign


def own_readable_campaign(request: HttpRequest, pk: int) -> Campaign:
    """For acts that send content: who sets it going must be able to see what it says."""
    campaign = own_campaign(request, pk)
    if not campaign.content_visible_to(request.user):
        raise PermissionDenied
    return campaign


def readable_workbooks(request: HttpRequest) -> QuerySet[Workbook]:
    """Confirmed workbooks whose rows the user may see, newest first."""
    mine = Workbook.objects.filter(team=request.team, state=ReadingState.CONFIRMED)
    lists = mine.filter(purpose=Purpose.LIST)
    payrolls = mine.filter(purpose=Purpose.PAYSLIP, grants__user=request.user)
    if Right.NEWSLETTERS not in request.rights:
        lists = lists.none()
    if Right.PAYSLIPS not in request.rights:
        payrolls = payrolls.none()
    return (lists | payrolls).distinct().order_by("-uploaded_at", "-pk")

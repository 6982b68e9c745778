"""Limits of recipient domains, across all relays of the team."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import Right
from campaigns.forms.domain_presets import DOMAIN_PRESETS
from campaigns.forms.limits import DomainLimitForm
from campaigns.models import DomainLimit
from campaigns.models.signals import announce
from campaigns.pipeline.usage import limit_fills
from campaigns.views.access import member


@member(Right.RELAYS)
def limits(request: HttpRequest) -> HttpResponse:
    """Each with how full its windows are."""
    found = DomainLimit.objects.filter(team=request.team).order_by("name")
    now = timezone.now()
    rows = [
        {
            "limit": limit,
            "fills": limit_fills(limit) if limit.enabled else [],
            "rests": limit.resting_until and limit.resting_until > now,
        }
        for limit in found
    ]
    named = {domain for limit in found for domain in limit.domains}
    offered = [one for one in DOMAIN_PRESETS.values() if not named & set(one.domains)]
    return render(request, "campaigns/limits/list.html", {"rows": rows, "offered": offered})


@member(Right.RELAYS)
def limit_new(request: HttpRequest) -> HttpResponse:
    """Empty, or filled in for one of the big providers."""
    preset = DOMAIN_PRESETS.get(request.GET.get("preset", ""))
    initial = {}
    if preset is not None:
        domains = "\n".join(preset.domains)
        initial = {"name": preset.label, "domains": domains, **preset.amounts}
    form = DomainLimitForm(request.POST or None, team=request.team, initial=initial)
    return _saved(request, form)


@member(Right.RELAYS)
def limit(request: HttpRequest, pk: int) -> HttpResponse:
    found = _limit_or_404(request, pk)
    return _saved(request, DomainLimitForm(request.POST or None, instance=found, team=request.team))


@member(Right.RELAYS)
@require_POST
def limit_delete(request: HttpRequest, pk: int) -> HttpResponse:
    with transaction.atomic():
        _limit_or_404(request, pk).delete()
        announce("tick")
    messages.success(request, _("收件域限速已删除。"))
    return redirect("campaigns:limits")


def _saved(request: HttpRequest, form: DomainLimitForm) -> HttpResponse:
    if form.is_bound and form.is_valid():
        with transaction.atomic():
            form.save()
            announce("tick")
        messages.success(request, _("收件域限速已保存，从下一封起生效。"))
        return redirect("campaigns:limits")
    status = 422 if form.is_bound else 200
    return render(request, "campaigns/limits/limit.html", {"form": form}, status=status)


def _limit_or_404(request: HttpRequest, pk: int) -> DomainLimit:
    return get_object_or_404(DomainLimit, team=request.team, pk=pk)

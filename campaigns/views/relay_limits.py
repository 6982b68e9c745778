"""What holds one relay back beside its own limits: parked domains and its warm-up."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import Relay, Right
from campaigns.forms.limits import ParkForm, WarmUpForm
from campaigns.models import DomainPark, WarmUp
from campaigns.models.recipient_domain import ParkSource
from campaigns.pipeline.park_domain import lift, park_domain, parked
from campaigns.pipeline.usage import warm_up_fill
from campaigns.reasons import SENTENCES, sentence
from campaigns.views.access import member


def beside(relay: Relay) -> dict[str, Any]:
    """For the relay's page."""
    return {
        "parks": [{"park": park, "why": _why(park.reason)} for park in parked(relay)],
        "park_form": ParkForm(),
        "warm_up": warm_up_shown(relay),
    }


def warm_up_shown(relay: Relay) -> dict[str, Any] | None:
    """The ramp as a chart with today's place in it; None where there is none."""
    warm_up = WarmUp.objects.filter(relay=relay).first()
    if warm_up is None:
        return None
    today = datetime.now(ZoneInfo(warm_up.zone)).date()
    days = list(warm_up.ramp.days())
    amounts = [amount for _day, amount in days]
    is_today = [day == today for day, _amount in days]
    series = [
        {
            "label": _("每天最多"),
            "values": [0 if now else n for n, now in zip(amounts, is_today, strict=True)],
            "state": "queued",
        },
        {
            "label": _("今天"),
            "values": [n if now else 0 for n, now in zip(amounts, is_today, strict=True)],
            "state": "accepted",
        },
    ]
    labels = [formats.date_format(day, "m-d") for day, _amount in days]
    return {
        "chart": {"labels": labels, "series": series},
        "amount": warm_up.ramp.amount_on(today),
        "number": max(1, (today - warm_up.starts_on).days + 1),
        "starts_on": warm_up.starts_on,
        "before": today < warm_up.starts_on,
        "full_on": days[-1][0],
        "fill": warm_up_fill(relay),
    }


@member(Right.RELAYS)
def relay_warm_up(request: HttpRequest, pk: int) -> HttpResponse:
    relay = _relay_or_404(request, pk)
    row = WarmUp.objects.filter(relay=relay).first()
    initial = {"starts_on": timezone.localdate()}
    form = WarmUpForm(request.POST or None, instance=row, relay=relay, initial=initial)
    if form.is_bound and form.is_valid():
        form.save()
        messages.success(request, _("预热已保存，从下一封起生效。"))
        return redirect("campaigns:relay", pk)
    context = {"form": form, "relay": relay, "exists": row is not None}
    status = 422 if form.is_bound else 200
    return render(request, "campaigns/relays/warm_up_form.html", context, status=status)


@member(Right.RELAYS)
@require_POST
def relay_warm_up_end(request: HttpRequest, pk: int) -> HttpResponse:
    WarmUp.objects.filter(relay=_relay_or_404(request, pk)).delete()
    messages.success(request, _("预热已结束，只按账号本身的限速发送。"))
    return redirect("campaigns:relay", pk)


@member(Right.RELAYS)
@require_POST
def relay_park(request: HttpRequest, pk: int) -> HttpResponse:
    """A person stops a domain on this relay."""
    relay = _relay_or_404(request, pk)
    form = ParkForm(request.POST)
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, errors[0])
        return redirect("campaigns:relay", pk)
    domain, reason = form.cleaned_data["domain"], form.cleaned_data["reason"]
    park_domain(relay, domain, form.until, reason, source=ParkSource.PERSON)
    messages.success(request, _("这个账号暂停发往 %(domain)s。") % {"domain": domain})
    return redirect("campaigns:relay", pk)


@member(Right.RELAYS)
@require_POST
def relay_lift(request: HttpRequest, pk: int, park_pk: int) -> HttpResponse:
    park = get_object_or_404(DomainPark, pk=park_pk, relay=_relay_or_404(request, pk))
    lift(park)
    messages.success(request, _("%(domain)s 的暂停已解除。") % {"domain": park.domain})
    return redirect("campaigns:relay", pk)


def _why(reason: str) -> str:
    """A known code's sentence; a person's own words as they are."""
    return sentence(reason) if reason in SENTENCES else reason


def _relay_or_404(request: HttpRequest, pk: int) -> Relay:
    relays = Relay.objects.filter(team=request.team).defer("secret", "ca_pem")
    return get_object_or_404(relays, pk=pk)

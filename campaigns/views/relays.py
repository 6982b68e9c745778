"""Relays: the accounts that mail is submitted through, their limits, and whether they work."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.db import transaction
from django.db.models import ProtectedError, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import Relay, Right
from accounts.presets import PRESETS, preset_of
from campaigns.forms.relays import RelayForm
from campaigns.models import Campaign, Probe
from campaigns.models.signals import announce
from campaigns.pipeline import probe as probing
from campaigns.pipeline.usage import fills_of
from campaigns.reasons import sentence
from campaigns.views import hooks
from campaigns.views.access import member
from campaigns.views.found import named
from campaigns.views.parks import lately, why_parked
from campaigns.views.probes import badge_of, shown, with_last_probe
from campaigns.views.relay_limits import beside


@dataclass(frozen=True)
class Standing:
    """How a relay is: a `check` state for the badge and, where there is more to say, a sentence."""

    badge: str
    words: str = ""


@member(Right.RELAYS)
def relays(request: HttpRequest) -> HttpResponse:
    """All of the team's relays, each with its state and how full its windows are."""
    found = with_last_probe(_relays(request), "relay")
    found = found.select_related("warm_up").prefetch_related("limits")
    rows = [
        {
            "relay": relay,
            "provider": provider_of(relay),
            "standing": standing_of(relay, relay.probe_state),
            "fills": fills_of(relay),
        }
        for relay in found.order_by("name")
    ]
    return render(request, "campaigns/relays/list.html", {"rows": rows})


@member(Right.RELAYS)
def relay_new(request: HttpRequest) -> HttpResponse:
    """First the provider, then its form, filled in as far as is known."""
    code = request.POST.get("preset") or request.GET.get("preset") or ""
    preset = preset_of(code)
    if preset is None:
        context = {"presets": PRESETS.values()}
        return render(request, "campaigns/relays/choose.html", context)
    form = RelayForm(request.POST or None, team=request.team, user=request.user, preset=code)
    if form.is_bound and form.is_valid():
        relay = form.save()
        messages.success(request, _("发信账号已保存。请点“测试”，看它能不能发信。"))
        return redirect("campaigns:relay", relay.pk)
    context = {"form": form, "preset": preset}
    return render(
        request, "campaigns/relays/new.html", context, status=422 if form.is_bound else 200
    )


@member(Right.RELAYS)
def relay(request: HttpRequest, pk: int) -> HttpResponse:
    """One relay: its newest test, its windows, and all of its settings."""
    found = _relay_or_404(request, pk)
    form = RelayForm(request.POST or None, instance=found, team=request.team, user=request.user)
    if form.is_bound and form.is_valid():
        form.save()
        messages.success(request, _("已保存。"))
        return redirect("campaigns:relay", pk)
    newest = Probe.objects.filter(relay=found).order_by("-pk").first()
    # The form has changed `found` where it was wrong: the page speaks of the stored one.
    stored = _relay_or_404(request, pk) if form.is_bound else found
    context = {
        "relay": stored,
        "provider": provider_of(stored),
        "preset": preset_of(stored.preset),
        "standing": standing_of(stored, newest.state if newest else None),
        "fills": fills_of(stored),
        "probe": shown(newest),
        "form": form,
        "in_use": _is_used(stored),
        "lately": lately(stored),
        **beside(stored),
        **hooks.beside(request, stored),
    }
    return render(
        request, "campaigns/relays/relay.html", context, status=422 if form.is_bound else 200
    )


@member(Right.RELAYS)
@require_POST
def relay_probe(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks for a test; the message goes to the asking person's own address and nowhere else."""
    probing.ask(_relay_or_404(request, pk), request.user, request.user.email)
    return redirect("campaigns:relay", pk)


@member(Right.RELAYS)
@require_POST
def relay_switch(request: HttpRequest, pk: int, on: bool) -> HttpResponse:
    """Enables or disables. Enabling also lifts what had stopped it, for somebody has looked."""
    found = _relay_or_404(request, pk)
    with transaction.atomic():
        if on:
            _unpark(found, enabled=True)
        else:
            Relay.objects.filter(pk=found.pk).update(enabled=False, park_reason="")
    messages.success(request, _("发信账号已启用。") if on else _("发信账号已停用，不会再发信。"))
    return redirect("campaigns:relay", pk)


@member(Right.RELAYS)
@require_POST
def relay_unpark(request: HttpRequest, pk: int) -> HttpResponse:
    with transaction.atomic():
        _unpark(_relay_or_404(request, pk))
    messages.success(request, _("暂停已解除，马上继续发送。"))
    return redirect("campaigns:relay", pk)


@member(Right.RELAYS, Right.PAYSLIPS)
@require_POST
def relay_copies_settled(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody looked: no copy of a payslip stays where others can read it. `campaign`: where to go on."""
    found = _relay_or_404(request, pk)
    Relay.objects.filter(pk=found.pk).update(
        copies_settled_at=timezone.now(), copies_settled_by=request.user
    )
    campaigns = Campaign.objects.filter(team=request.team)
    campaign = named(campaigns, request.POST.get("campaign"))
    messages.success(request, _("记下了。改了账号的登录名或服务器，会再问一次。"))
    if campaign is None:
        return redirect("campaigns:relay", pk)
    return redirect("campaigns:campaign", campaign.pk)


@member(Right.RELAYS)
@require_POST
def relay_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Only a relay that nothing was sent through and no campaign names."""
    found = _relay_or_404(request, pk)
    try:
        with transaction.atomic():
            if _is_used(found):
                raise ProtectedError("in use", set())
            found.delete()
    except ProtectedError:
        messages.error(request, _("这个账号已经被用过，记录要保留，因此只能停用，不能删除。"))
        return redirect("campaigns:relay", pk)
    messages.success(request, _("发信账号已删除。"))
    return redirect("campaigns:relays")


def standing_of(relay: Relay, probe_state: str | None) -> Standing:
    """Disabled, parked, or what its newest test says."""
    if not relay.enabled:
        return Standing("disabled", sentence(relay.park_reason))
    if relay.parked_until is not None and relay.parked_until > timezone.now():
        return Standing("parked", why_parked(relay))
    return Standing(badge_of(probe_state))


def provider_of(relay: Relay) -> str:
    known = preset_of(relay.preset)
    return str(known.label) if known else relay.host


def _unpark(relay: Relay, **more: object) -> None:
    Relay.objects.filter(pk=relay.pk).update(
        parked_until=None, park_reason="", park_rule="", resting_until=None, **more
    )
    announce("tick")


def _is_used(relay: Relay) -> bool:
    return relay.deliveries.exists() or Campaign.objects.filter(relay=relay).exists()


def _relays(request: HttpRequest) -> QuerySet[Relay]:
    # No page needs the secret; left out, it is neither decrypted nor can a lost key break the page.
    return Relay.objects.filter(team=request.team).defer("secret", "ca_pem")


def _relay_or_404(request: HttpRequest, pk: int) -> Relay:
    return get_object_or_404(_relays(request), pk=pk)

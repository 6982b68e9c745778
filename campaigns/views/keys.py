"""DKIM keys: the record to publish for each, and which of them sign. The private half never leaves."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import Relay, Right, SigningKey
from accounts.presets import FREE_MAIL_DOMAINS
from campaigns.forms.keys import KeyForm, record_strings, record_value
from campaigns.views.access import member


@member(Right.RELAYS)
def keys(request: HttpRequest) -> HttpResponse:
    """The keys by domain, and the domains that mail may be sent from but nothing signs for."""
    rows = list(_keys(request).order_by("domain", "-active", "-created_at"))
    domains = [
        {"domain": domain, "keys": list(found)}
        for domain, found in groupby(rows, key=lambda key: key.domain)
    ]
    signed = {key.domain for key in rows if key.active}
    context = {"domains": domains, "unsigned": sorted(_own_domains(request) - signed)}
    return render(request, "campaigns/keys/list.html", context)


@member(Right.RELAYS)
def key_new(request: HttpRequest) -> HttpResponse:
    initial = {"domain": request.GET.get("domain", "")[:253]}
    form = KeyForm(request.POST or None, team=request.team, initial=initial)
    if form.is_bound and form.is_valid():
        key = form.save()
        messages.success(request, _("密钥已生成。请把下面的记录发布到 DNS。"))
        return redirect("campaigns:key", key.pk)
    return render(
        request, "campaigns/keys/new.html", {"form": form}, status=422 if form.is_bound else 200
    )


@member(Right.RELAYS)
def key(request: HttpRequest, pk: int) -> HttpResponse:
    """The record to publish, whole and in the strings that some DNS panels want."""
    found = _key_or_404(request, pk)
    value = record_value(found)
    context: dict[str, Any] = {"key": found, "value": value, "strings": record_strings(value)}
    return render(request, "campaigns/keys/key.html", context)


@member(Right.RELAYS)
@require_POST
def key_switch(request: HttpRequest, pk: int, on: bool) -> HttpResponse:
    found = _key_or_404(request, pk)
    SigningKey.objects.filter(pk=found.pk).update(active=on)
    messages.success(request, _("从现在起用这把密钥签名。") if on else _("不再用这把密钥签名。"))
    return redirect("campaigns:key", pk)


@member(Right.RELAYS)
@require_POST
def key_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """The private half is gone for good; the published record should stay a few days."""
    found = _key_or_404(request, pk)
    name = found.record_name
    found.delete()
    messages.success(
        request,
        _("密钥已删除。途中的邮件还要用公钥验证，请过几天再从 DNS 删除 %(name)s。")
        % {"name": name},
    )
    return redirect("campaigns:keys")


def _own_domains(request: HttpRequest) -> set[str]:
    """The domains that enabled relays send from, and for which the team can publish a key."""
    lists = Relay.objects.filter(team=request.team, enabled=True).values_list(
        "from_addresses", flat=True
    )
    return {entry.rpartition("@")[2] for entries in lists for entry in entries} - FREE_MAIL_DOMAINS


def _keys(request: HttpRequest) -> QuerySet[SigningKey]:
    return SigningKey.objects.filter(team=request.team).defer("private_key")


def _key_or_404(request: HttpRequest, pk: int) -> SigningKey:
    return get_object_or_404(_keys(request), pk=pk)

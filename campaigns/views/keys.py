"""DKIM keys: the record to publish for each, and which of them sign. The private half never leaves."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRefresh

from accounts.models import Relay, Right, SigningKey
from accounts.presets import FREE_MAIL_DOMAINS
from campaigns.forms.keys import KeyForm, record_strings, record_value
from campaigns.pipeline import rotate_keys
from campaigns.views.access import member

NEWEST_FIRST = ("-active", "-waiting", "-created_at", "-pk")


@member(Right.RELAYS)
def keys(request: HttpRequest) -> HttpResponse:
    """The keys by domain, and the domains that mail may be sent from but nothing signs for."""
    rows = list(_keys(request).select_related("replaces").order_by("domain", *NEWEST_FIRST))
    domains = [_group(domain, list(found)) for domain, found in groupby(rows, key=_domain_of)]
    known = {key.domain for key in rows if key.active or key.waiting}
    context = {"domains": domains, "unsigned": sorted(_own_domains(request) - known)}
    return render(request, "campaigns/keys/list.html", context)


def _group(domain: str, keys: list[SigningKey]) -> dict[str, Any]:
    """A domain's keys; `may_rotate` while something signs that has no successor waiting."""
    followed = {key.replaces_id for key in keys if key.waiting}
    signing = [key for key in keys if key.active]
    return {
        "domain": domain,
        "keys": keys,
        "may_rotate": any(key.pk not in followed for key in signing),
        "waiting": [key for key in keys if key.waiting],
        "signs": bool(signing),
    }


def _domain_of(key: SigningKey) -> str:
    return key.domain


@member(Right.RELAYS)
def key_new(request: HttpRequest) -> HttpResponse:
    initial = {"domain": request.GET.get("domain", "")[:253]}
    form = KeyForm(request.POST or None, team=request.team, initial=initial)
    if form.is_bound and form.is_valid():
        made = _generate(request, form)
        if made:
            messages.success(request, _("密钥已生成。把记录发布到 DNS 后，系统查到它就开始签名。"))
            return redirect("campaigns:key", made[0].pk)
    return render(
        request, "campaigns/keys/new.html", {"form": form}, status=422 if form.is_bound else 200
    )


def _generate(request: HttpRequest, form: KeyForm) -> list[SigningKey]:
    try:
        with transaction.atomic():
            return [
                rotate_keys.generate(request.team, form.cleaned_data["domain"], algorithm, selector)
                for selector, algorithm in form.wanted()
            ]
    except IntegrityError:  # the same click twice
        form.add_error("selector", _("这个域名已有同名的选择器。"))
        return []


@member(Right.RELAYS)
@require_POST
def keys_rotate(request: HttpRequest) -> HttpResponse:
    """New keys for a domain; the old ones sign until the new records are found."""
    made = rotate_keys.rotate(request.team, request.POST.get("domain", "").replace("\0", "")[:253])
    if made:
        messages.success(request, _("新密钥已生成，旧密钥继续签名，直到查到新的记录。"))
        return redirect("campaigns:key", made[0].pk)
    messages.info(request, _("这个域名没有要换的密钥。"))
    return redirect("campaigns:keys")


@member(Right.RELAYS)
def key(request: HttpRequest, pk: int) -> HttpResponse:
    """The record to publish, whole and in the strings that some DNS panels want."""
    found = get_object_or_404(_keys(request).select_related("replaces"), pk=pk)
    value = record_value(found)
    context: dict[str, Any] = {"key": found, "value": value, "strings": record_strings(value)}
    context["beside"] = _keys(request).filter(domain=found.domain, waiting=True).exclude(pk=pk)
    return render(request, "campaigns/keys/key.html", context)


@member(Right.RELAYS)
@require_POST
def key_look(request: HttpRequest, pk: int) -> HttpResponse:
    """The record is said to be published: a worker looks now."""
    found = _key_or_404(request, pk)
    rotate_keys.look_now(_keys(request).filter(domain=found.domain, waiting=True))
    return redirect("campaigns:key", pk)


@member(Right.RELAYS)
def key_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """Polled while a record is looked for; another stage draws the whole page anew."""
    found = get_object_or_404(_keys(request).select_related("replaces"), pk=pk)
    if request.htmx and not found.waiting:
        return HttpResponseClientRefresh()
    return render(request, "campaigns/keys/progress.html", {"key": found})


@member(Right.RELAYS)
@require_POST
def key_switch(request: HttpRequest, pk: int, on: bool) -> HttpResponse:
    found = _key_or_404(request, pk)
    if on:
        rotate_keys.activate(found)
    else:
        rotate_keys.retire(found)
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

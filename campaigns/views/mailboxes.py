"""Bounce mailboxes: the maildrops that are polled by POP3 or IMAP, and what was found in them."""

from __future__ import annotations

from collections import defaultdict

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import BounceMailbox, Right
from accounts.models.bounce_mailbox import Protocol
from accounts.presets import PRESETS, preset_of
from campaigns.forms.mailboxes import MailboxForm
from campaigns.models import MaildropMessage, Probe
from campaigns.pipeline import probe as probing
from campaigns.reasons import MAILDROP_SENTENCES, sentence
from campaigns.views.access import member
from campaigns.views.probes import badge_of, shown, with_last_probe
from campaigns.views.verdicts import VERDICTS


@member(Right.RELAYS)
def mailboxes(request: HttpRequest) -> HttpResponse:
    counts = _verdicts(request)
    rows = [
        {
            "mailbox": mailbox,
            "badge": _badge(mailbox, mailbox.probe_state),
            "error": _error(mailbox),
            "counts": counts[mailbox.pk],
        }
        for mailbox in with_last_probe(_mailboxes(request), "mailbox").order_by("name")
    ]
    return render(request, "campaigns/mailboxes/list.html", {"rows": rows})


@member(Right.RELAYS)
def mailbox_new(request: HttpRequest) -> HttpResponse:
    """First the provider, then the form."""
    code = request.POST.get("preset") or request.GET.get("preset") or ""
    preset = preset_of(code)
    if preset is None:
        known = [one for one in PRESETS.values() if one.maildrop or one.internal]
        return render(request, "campaigns/mailboxes/choose.html", {"presets": known})
    protocol = request.POST.get("protocol") or request.GET.get("protocol") or Protocol.POP3
    form = MailboxForm(
        request.POST or None, team=request.team, user=request.user, preset=code, protocol=protocol
    )
    if form.is_bound and form.is_valid():
        mailbox = form.save()
        messages.success(request, _("退信邮箱已保存。请点“测试”，看能不能登录。"))
        if form.kept_for_relay:
            messages.warning(request, _kept_for_relay())
        return redirect("campaigns:mailbox", mailbox.pk)
    context = {
        "form": form,
        "preset": preset,
        "protocol": protocol,
        "has_imap": preset.maildrop is None or bool(preset.maildrop.imap_host),
    }
    return render(
        request, "campaigns/mailboxes/new.html", context, status=422 if form.is_bound else 200
    )


@member(Right.RELAYS)
def mailbox(request: HttpRequest, pk: int) -> HttpResponse:
    """One mailbox: its newest test, what was found, its settings."""
    found = _mailbox_or_404(request, pk)
    form = MailboxForm(request.POST or None, instance=found, team=request.team, user=request.user)
    if form.is_bound and form.is_valid():
        form.save()
        messages.success(request, _("已保存。"))
        return redirect("campaigns:mailbox", pk)
    newest = Probe.objects.filter(mailbox=found).order_by("-pk").first()
    stored = _mailbox_or_404(request, pk) if form.is_bound else found
    context = {
        "mailbox": stored,
        "badge": _badge(stored, newest.state if newest else None),
        "error": _error(stored),
        "counts": _verdicts(request, mailbox=stored)[stored.pk],
        "probe": shown(newest),
        "relays": stored.relays.defer("secret", "ca_pem").order_by("name"),
        "form": form,
    }
    return render(
        request, "campaigns/mailboxes/mailbox.html", context, status=422 if form.is_bound else 200
    )


@member(Right.RELAYS)
@require_POST
def mailbox_probe(request: HttpRequest, pk: int) -> HttpResponse:
    probing.ask(_mailbox_or_404(request, pk), request.user, "")
    return redirect("campaigns:mailbox", pk)


@member(Right.RELAYS)
@require_POST
def mailbox_switch(request: HttpRequest, pk: int, on: bool) -> HttpResponse:
    """Enables or disables polling; enabling forgets the last error, so that the next poll tries."""
    found = _mailbox_or_404(request, pk)
    change = {"enabled": True, "last_error": ""} if on else {"enabled": False}
    BounceMailbox.objects.filter(pk=found.pk).update(**change)
    messages.success(
        request, _("退信邮箱已启用。") if on else _("退信邮箱已停用，不会再收取退信。")
    )
    return redirect("campaigns:mailbox", pk)


@member(Right.RELAYS)
@require_POST
def mailbox_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Only one that no relay names: its bounces would be lost. What it found before is kept."""
    found = _mailbox_or_404(request, pk)
    with transaction.atomic():
        used = found.relays.exists()
        if not used:
            found.delete()
    if used:
        messages.error(request, _("还有发信账号在用这个退信邮箱。请先在那里改选，或把它停用。"))
        return redirect("campaigns:mailbox", pk)
    messages.success(request, _("退信邮箱已删除；已记录的退信保留。"))
    return redirect("campaigns:mailboxes")


def _kept_for_relay() -> str:
    return _(
        "这个邮箱同时是发信账号的登录邮箱，可能有人在用，所以先设为“全部保留在服务器上”：只读取退信，什么也不删除。确认没有别人使用后，再改设置。"
    )


def _badge(mailbox: BounceMailbox, probe_state: str | None) -> str:
    if not mailbox.enabled:
        return "disabled"
    if mailbox.last_error:
        return "broken"
    if probe_state is None and mailbox.polled_at is not None:
        return "ok"
    return badge_of(probe_state)


def _error(mailbox: BounceMailbox) -> str:
    """The last poll's error: a code as a sentence, anything else as it was stored."""
    code = mailbox.last_error
    return sentence(code, maildrop=True) if code in MAILDROP_SENTENCES else code


def _verdicts(
    request: HttpRequest, *, mailbox: BounceMailbox | None = None
) -> dict[int, list[tuple[str, int]]]:
    """Per mailbox (word, messages), the most frequent first."""
    seen = MaildropMessage.objects.filter(team=request.team)
    if mailbox is not None:
        seen = seen.filter(mailbox=mailbox)
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for pk, verdict, count in (
        seen.values_list("mailbox", "verdict").annotate(count=Count("pk")).order_by("-count")
    ):
        found[pk].append((str(VERDICTS.get(verdict, verdict)), count))
    return found


def _mailboxes(request: HttpRequest) -> QuerySet[BounceMailbox]:
    return BounceMailbox.objects.filter(team=request.team).defer("secret", "ca_pem")


def _mailbox_or_404(request: HttpRequest, pk: int) -> BounceMailbox:
    return get_object_or_404(_mailboxes(request), pk=pk)

"""Alerts: what is wrong now and was before, and the channels that tell it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Right
from campaigns import alert_texts
from campaigns.forms.alert_channels import AlertChannelForm
from campaigns.models import Alert, AlertChannel, AlertTelling
from campaigns.models.alert import AlertKind, ChannelKind, TellingOccasion, TellingState
from campaigns.pipeline import alert_watch
from campaigns.pipeline import alerts as alerting
from campaigns.views.access import member
from campaigns.views.pages import keyset

PAGE = 30
ICONS = {"wecom": "users-group", "dingtalk": "bell", "feishu": "send", "email": "mail"}
# What opens the page of an alert's subject.
_RIGHTS = {"relay": Right.RELAYS, "mailbox": Right.RELAYS, "domain": Right.RELAYS}
# Who writes where alerts go: whoever runs the team or its relays.
MANAGERS = (Right.MEMBERS, Right.RELAYS)


@member()
@require_safe
def alerts(request: HttpRequest) -> HttpResponse:
    """Open ones first, then what is over."""
    rows = Alert.objects.filter(team=request.team)
    opened = list(rows.filter(closed_at=None).order_by("-first_at")[:100])
    page = keyset(rows.exclude(closed_at=None), request, size=PAGE, descending=True)
    told = _tellings([*opened, *page.rows])
    beat = alert_watch.last_beat()
    context = {
        "opened": [_shown(row, told, request) for row in opened],
        "closed": [_shown(row, told, request) for row in page.rows],
        "keyset": page,
        "may_manage": bool(set(MANAGERS) & request.rights),
        "has_channels": AlertChannel.objects.filter(team=request.team, enabled=True).exists(),
        "stopped_since": beat if beat and timezone.now() - beat > alert_watch.GAP else None,
    }
    return render(request, "campaigns/alerts/alerts.html", context)


def _shown(
    row: Alert, told: dict[int, list[dict[str, Any]]], request: HttpRequest
) -> dict[str, Any]:
    right = _RIGHTS.get(row.subject)
    return {
        "alert": row,
        "label": AlertKind(row.kind).label,
        "words": alert_texts.words(row),
        "url": alert_texts.path(row) if right is None or right in request.rights else "",
        "told": told.get(row.pk, []),
    }


def _tellings(rows: list[Alert]) -> dict[int, list[dict[str, Any]]]:
    """How each was told: one query for all."""
    found: dict[int, list[dict[str, Any]]] = {}
    tellings = AlertTelling.objects.filter(alert__in=rows).select_related("channel")
    for row in tellings.defer("channel__url", "channel__secret", "channel__ca_pem").order_by("pk"):
        found.setdefault(row.alert_id or 0, []).append(telling_shown(row))
    return found


def telling_shown(row: AlertTelling) -> dict[str, Any]:
    """One telling: to which channel, on what occasion, and what became of it in words."""
    words = alert_texts.result(row.result) if row.result else ""
    return {
        "telling": row,
        "occasion": TellingOccasion(row.occasion).label,
        "words": words,
        "is_open": row.state == TellingState.WAITING,
        "again": row.state == TellingState.WAITING and row.tries > 0,
    }


@member(*MANAGERS)
@require_safe
def channels(request: HttpRequest) -> HttpResponse:
    """Each with what became of its last message."""
    rows = list(_channels(request).order_by("name"))
    newest = AlertTelling.objects.filter(channel=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    ids = AlertChannel.objects.filter(pk__in=[row.pk for row in rows]).values_list(
        Subquery(newest), flat=True
    )
    told = AlertTelling.objects.filter(pk__in=[pk for pk in ids if pk])
    last = {row.channel_id: telling_shown(row) for row in told}
    context = {
        "rows": [
            {"channel": row, "icon": ICONS[row.kind], "last": last.get(row.pk)} for row in rows
        ],
        "kinds": _kinds(),
    }
    return render(request, "campaigns/alerts/channels.html", context)


def _kinds() -> list[dict[str, Any]]:
    return [
        {"value": kind.value, "label": kind.label, "icon": ICONS[kind.value]}
        for kind in ChannelKind
    ]


@member(*MANAGERS)
def channel_new(request: HttpRequest) -> HttpResponse:
    kind = request.GET.get("kind", "")
    if kind not in ChannelKind.values:
        return redirect("campaigns:channels")
    return _edited(request, AlertChannel(team=request.team, kind=kind))


@member(*MANAGERS)
def channel(request: HttpRequest, pk: int) -> HttpResponse:
    return _edited(request, _channel(request, pk))


def _edited(request: HttpRequest, row: AlertChannel) -> HttpResponse:
    form = AlertChannelForm(
        request.POST or None, instance=row, team=request.team, user=request.user
    )
    if form.is_bound and form.is_valid():
        saved = form.save()
        messages.success(request, _("已保存。请点“发一条测试”，看看能不能收到。"))
        return redirect("campaigns:channel", saved.pk)
    context = {
        "channel": row,
        "form": form,
        "kind": ChannelKind(row.kind).label,
        "is_only_relay": row.kind == ChannelKind.EMAIL and _relay_count(request) < 2,
        "last": _last(row) if row.pk else None,
    }
    status = 422 if form.is_bound else 200
    return render(request, "campaigns/alerts/channel.html", context, status=status)


def _relay_count(request: HttpRequest) -> int:
    return request.team.relays.filter(enabled=True).count()


def _last(row: AlertChannel) -> dict[str, Any] | None:
    newest = AlertTelling.objects.filter(channel=row).order_by("-pk").first()
    return telling_shown(newest) if newest else None


@member(*MANAGERS)
@require_POST
def channel_test(request: HttpRequest, pk: int) -> HttpResponse:
    """A message goes out as an alert would; the page shows what became of it."""
    alerting.ask_for_test(_channel(request, pk))
    return redirect("campaigns:channel", pk)


@member(*MANAGERS)
@require_safe
def channel_result(request: HttpRequest, pk: int) -> HttpResponse:
    """What became of the last message, drawn again until it has an end."""
    row = _channel(request, pk)
    return render(request, "campaigns/alerts/last.html", {"channel": row, "last": _last(row)})


@member(*MANAGERS)
@require_POST
def channel_switch(request: HttpRequest, pk: int, on: bool) -> HttpResponse:
    row = _channel(request, pk)
    AlertChannel.objects.filter(pk=row.pk).update(enabled=on)
    messages.success(request, _("渠道已启用。") if on else _("渠道已停用，不再往这里发告警。"))
    return redirect("campaigns:channel", pk)


@member(*MANAGERS)
@require_POST
def channel_delete(request: HttpRequest, pk: int) -> HttpResponse:
    _channel(request, pk).delete()
    messages.success(request, _("渠道已删除。"))
    return redirect("campaigns:channels")


def _channels(request: HttpRequest) -> Any:
    return AlertChannel.objects.filter(team=request.team).defer("url", "secret", "ca_pem")


def _channel(request: HttpRequest, pk: int) -> AlertChannel:
    return get_object_or_404(_channels(request), pk=pk)

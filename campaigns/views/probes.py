"""What a probe found, in words; the page polls it until it ends."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import Right
from campaigns.models import Probe
from campaigns.models.probe import ProbeState
from campaigns.reasons import sentence
from campaigns.views.access import member

_STEPS = {
    "resolve": gettext_lazy("查找服务器"),
    "connect": gettext_lazy("连接服务器"),
    "tls": gettext_lazy("加密并检查证书"),
    "greeting": gettext_lazy("服务器应答"),
    "login": gettext_lazy("登录"),
    "mail": gettext_lazy("发件地址获准"),
    "rcpt": gettext_lazy("收件地址获准"),
    "content": gettext_lazy("发送测试邮件"),
    "list": gettext_lazy("清点邮件"),
}
_BADGES = {
    ProbeState.WAITING: "waiting",
    ProbeState.RUNNING: "waiting",
    ProbeState.PASSED: "ok",
    ProbeState.FAILED: "broken",
}


@member(Right.RELAYS)
def probe(request: HttpRequest, pk: int) -> HttpResponse:
    """The section alone; it polls itself while the probe is under way."""
    found = get_object_or_404(Probe, pk=pk, team=request.team)
    return render(request, "campaigns/relays/probe.html", {"probe": shown(found)})


def shown(probe: Probe | None) -> dict[str, Any] | None:
    """A probe as its template wants it."""
    if probe is None:
        return None
    return {
        "pk": probe.pk,
        "open": probe.state in (ProbeState.WAITING, ProbeState.RUNNING),
        "passed": probe.state == ProbeState.PASSED,
        "at": probe.ended_at or probe.created_at,
        "address": probe.address if probe.relay_id else "",
        "steps": [_step(step, maildrop=probe.mailbox_id is not None) for step in probe.steps],
    }


def _step(step: dict[str, Any], *, maildrop: bool) -> dict[str, Any]:
    words = step.get("words", "")
    if not step["ok"] and not words:
        words = sentence(step.get("reason", ""), maildrop=maildrop)
    if "count" in step:
        count = step["count"]
        words = ngettext("邮箱里有 %(count)d 封邮件。", "邮箱里有 %(count)d 封邮件。", count) % {
            "count": count
        }
    label = _STEPS.get(step["step"])
    return {
        "ok": step["ok"],
        "label": str(label) if label else _("其他"),
        "words": words,
        "reply": step.get("text", ""),
    }


def with_last_probe(rows: QuerySet, field: str) -> QuerySet:
    """Relays or mailboxes (`field`) with `probe_state`: the newest probe's, or None."""
    newest = Probe.objects.filter(**{field: OuterRef("pk")}).order_by("-pk")
    return rows.annotate(probe_state=Subquery(newest.values("state")[:1]))


def badge_of(probe_state: str | None) -> str:
    """The `check` state (templatetags/states.py) that a newest probe gives."""
    return _BADGES[ProbeState(probe_state)] if probe_state else "untested"

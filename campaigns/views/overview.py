"""The first page after signing in: what runs, what needs a person, what was, and the last fourteen days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.models import BounceMailbox, Relay, Right
from campaigns.models import Campaign, CampaignCount, Workbook
from campaigns.models.campaign import CampaignState, Hold
from campaigns.models.delivery import DeliveryState
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline import daily, domain_check
from campaigns.reasons import sentence
from campaigns.views.access import member
from campaigns.views.campaigns import listed, row_of
from campaigns.views.first_steps import first_steps
from campaigns.views.next_step import clock

SEVERITIES = ("error", "warning", "notice")
LIVE = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.SCHEDULED)


@dataclass(frozen=True)
class Task:
    """Something that waits for a person: a sentence and where it is settled."""

    severity: str
    text: str
    url: str


@member()
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Counts and states alone: nothing here is content."""
    latest = Campaign.objects.filter(team=request.team).exclude(state__in=LIVE)
    recent = [row_of(one) for one in listed(latest).order_by("-created_at")[:6]]
    days = daily.days_of(request.team)
    context = {
        **_live(request),
        "tasks": tasks(request),
        "recent": recent,
        "chart": _chart(days),
        "has_days": any(day.accepted + day.refused + day.bounced for day in days),
        "steps": first_steps(request.team, request.rights),
        "may_make": bool({Right.PAYSLIPS, Right.NEWSLETTERS} & request.rights),
    }
    return render(request, "campaigns/overview.html", context)


@member()
@require_safe
def overview_live(request: HttpRequest) -> HttpResponse:
    """The campaigns that run now, drawn again every few seconds."""
    return render(request, "campaigns/overview_live.html", _live(request))


def _live(request: HttpRequest) -> dict[str, Any]:
    running = Campaign.objects.filter(team=request.team, state__in=LIVE)
    return {"running": [row_of(one) for one in listed(running).order_by("-created_at")[:10]]}


def tasks(request: HttpRequest) -> list[Task]:
    """What needs a person, the gravest first."""
    return sorted(_tasks(request), key=lambda task: SEVERITIES.index(task.severity))


def _tasks(request: HttpRequest) -> list[Task]:
    found = [*_campaign_tasks(request), *_workbook_tasks(request)]
    if Right.RELAYS in request.rights:
        found += [*_relay_tasks(request), *_mailbox_tasks(request), *_domain_tasks(request)]
    return found


def _campaign_tasks(request: HttpRequest) -> list[Task]:
    doubts = CampaignCount.objects.filter(
        team=request.team, state=DeliveryState.IN_DOUBT, number__gt=0
    ).values_list("campaign_id", "campaign__name", "number")
    held = (
        Campaign.objects.filter(team=request.team, state__in=LIVE)
        .exclude(hold_reason="")
        .values_list("pk", "name", "hold_reason")
    )
    made = []
    for pk, name, number in doubts[:20]:
        words = ngettext(
            "“%(name)s”有 %(number)s 封待确认：可能已收下，也可能没有。",
            "“%(name)s”有 %(number)s 封待确认：可能已收下，也可能没有。",
            number,
        )
        text = words % {"name": name, "number": number}
        made.append(Task("error", text, _address("campaign", pk)))
    for pk, name, reason in held[:20]:
        text = _("“%(name)s”暂缓：%(reason)s。") % {"name": name, "reason": Hold(reason).label}
        made.append(Task("warning", text, _address("campaign", pk)))
    return made


def _relay_tasks(request: HttpRequest) -> list[Task]:
    rows = Relay.objects.filter(team=request.team).filter(
        Q(parked_until__gt=timezone.now(), enabled=True) | ~Q(park_reason="") & Q(enabled=False)
    )
    made = []
    for pk, name, enabled, until, reason in rows.values_list(
        "pk", "name", "enabled", "parked_until", "park_reason"
    )[:20]:
        params = {"name": name, "reason": sentence(reason), "time": clock(until) if until else ""}
        if enabled:
            text = _("发信账号“%(name)s”暂停使用到 %(time)s：%(reason)s") % params
        else:
            text = _("发信账号“%(name)s”已停用：%(reason)s") % params
        made.append(Task("warning" if enabled else "error", text, _address("relay", pk)))
    return made


def _mailbox_tasks(request: HttpRequest) -> list[Task]:
    rows = BounceMailbox.objects.filter(team=request.team, enabled=True).exclude(last_error="")
    return [
        Task(
            "warning",
            _("退信邮箱“%(name)s”收取失败：%(error)s")
            % {"name": name, "error": sentence(error, maildrop=True)},
            _address("mailbox", pk),
        )
        for pk, name, error in rows.values_list("pk", "name", "last_error")[:20]
    ]


def _domain_tasks(request: HttpRequest) -> list[Task]:
    rows = domain_check.alarms(request.team).values_list("pk", "domain", "relay__name")
    text = _("%(domain)s 的 DNS 变了，经“%(relay)s”发的邮件会受影响。")
    return [
        Task("error", text % {"domain": domain, "relay": relay}, _address("domain", pk))
        for pk, domain, relay in rows.order_by("domain", "pk")[:20]
    ]


def _workbook_tasks(request: HttpRequest) -> list[Task]:
    """Workbooks that wait for a decision: lists of those who use them, payrolls of their readers."""
    words = {
        ReadingState.CHOOSING: _("工作簿“%(name)s”有几张表，请选择一张。"),
        ReadingState.READ: _("工作簿“%(name)s”已读好，等待确认。"),
        ReadingState.REJECTED: _("工作簿“%(name)s”没能读取。"),
    }
    made = []
    for pk, name, state in waiting_workbooks(request).values_list("pk", "name", "state")[:20]:
        severity = "warning" if state == ReadingState.REJECTED else "notice"
        made.append(Task(severity, words[state] % {"name": name}, _address("workbook", pk)))
    return made


def waiting_workbooks(request: HttpRequest) -> QuerySet[Workbook]:
    """Unconfirmed ones, of what this user may read."""
    mine = Q()
    if Right.NEWSLETTERS in request.rights:
        mine |= Q(purpose=Purpose.LIST)
    if Right.PAYSLIPS in request.rights:
        mine |= Q(purpose=Purpose.PAYSLIP, grants__user=request.user)
    if not mine:
        return Workbook.objects.none()
    states = (ReadingState.CHOOSING, ReadingState.READ, ReadingState.REJECTED)
    rows = Workbook.objects.filter(mine, team=request.team, state__in=states)
    return rows.distinct().order_by("-pk")


def _chart(days: list[daily.Day]) -> dict[str, Any]:
    """For components/chart.html."""
    series = [
        {"label": _("已提交"), "state": "accepted", "values": [day.accepted for day in days]},
        {"label": _("被拒"), "state": "refused", "values": [day.refused for day in days]},
        {"label": _("退信"), "state": "deferred", "values": [day.bounced for day in days]},
    ]
    return {"labels": [f"{day.date.month}-{day.date.day}" for day in days], "series": series}


def _address(name: str, pk: int) -> str:
    return reverse(f"campaigns:{name}", args=(pk,))

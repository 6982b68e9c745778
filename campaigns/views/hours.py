"""Sending hours: the team's default, and a campaign's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import formats, timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import Right
from campaigns.forms.sending_hours import SendingHoursForm
from campaigns.models import Campaign, SendingHours
from campaigns.pipeline import sending_hours
from campaigns.views.access import member
from campaigns.views.found import own_campaign

# How far ahead the page says that holidays are not known.
_LOOK_AHEAD = timedelta(days=90)


@member(Right.RELAYS)
def hours(request: HttpRequest) -> HttpResponse:
    """The default of the team that is worked in."""
    row = SendingHours.objects.filter(team=request.team, campaign=None).first()
    form = SendingHoursForm(request.POST or None, instance=row, team=request.team, campaign=None)
    if form.is_bound and form.is_valid():
        sending_hours.changed(form.save())
        messages.success(request, _("默认的发送时段已保存，从下一封起生效。"))
        return redirect("campaigns:hours")
    return _page(request, form, {"row": row})


@member(Right.RELAYS)
@require_POST
def hours_delete(request: HttpRequest) -> HttpResponse:
    row = SendingHours.objects.filter(team=request.team, campaign=None).first()
    if row is not None:
        sending_hours.remove(row)
    messages.success(request, _("不再有默认的发送时段。"))
    return redirect("campaigns:hours")


@member()
def campaign_hours(request: HttpRequest, pk: int) -> HttpResponse:
    """A campaign's own hours, also while it runs."""
    found = own_campaign(request, pk)
    row = SendingHours.objects.filter(campaign=found).first()
    default = SendingHours.objects.filter(team=request.team, campaign=None).first()
    form = SendingHoursForm(
        request.POST or None,
        instance=row,
        team=request.team,
        campaign=found,
        initial=_values(default) if row is None and default else None,
    )
    if form.is_bound and form.is_valid():
        sending_hours.changed(form.save())
        messages.success(request, _("发送时段已保存，从下一封起生效。"))
        return redirect("campaigns:campaign", pk)
    return _page(request, form, {"row": row, "campaign": found})


@member()
@require_POST
def campaign_hours_delete(request: HttpRequest, pk: int) -> HttpResponse:
    found = own_campaign(request, pk)
    row = SendingHours.objects.filter(campaign=found).first()
    if row is not None:
        sending_hours.remove(row)
    messages.success(request, _("这个活动改用团队默认的发送时段。"))
    return redirect("campaigns:campaign", pk)


def hours_words(campaign: Campaign) -> str:
    """As in "9:00–18:00，中国的工作日（团队默认）"."""
    row = sending_hours.row_for(campaign)
    if row is None or row.any_time:
        return _("不限时段")
    days = _("中国的工作日（含调休）")
    if not row.calendar:
        days = _("每天")
        if len(set(row.weekdays)) < 7:
            days = _("、").join(str(WEEKDAYS_ABBR[day]) for day in sorted(row.weekdays))
    span = f"{formats.time_format(row.opens, 'H:i')}–{formats.time_format(row.closes, 'H:i')}"
    words = _("%(span)s，%(days)s") % {"span": span, "days": days}
    return words + (_("（团队默认）") if row.campaign_id is None else "")


def _values(row: SendingHours) -> dict[str, Any]:
    names = ("opens", "closes", "weekdays", "calendar", "zone")
    return {name: getattr(row, name) for name in names}


def _page(request: HttpRequest, form: SendingHoursForm, context: dict[str, Any]) -> HttpResponse:
    row = context["row"]
    found = row.hours if row else None
    now = timezone.now()
    context |= {
        "form": form,
        "unknown": found.unknown_years(now, now + _LOOK_AHEAD) if found else [],
    }
    status = 422 if form.is_bound else 200
    return render(request, "campaigns/hours.html", context, status=status)

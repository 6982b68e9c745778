"""The team's own settings: its name, and the time zone that schedules are meant in."""

from __future__ import annotations

from zoneinfo import available_timezones

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import member
from accounts.forms import TeamForm
from accounts.models import Right


@member(Right.MEMBERS)
@require_http_methods(["GET", "HEAD", "POST"])
def team_settings(request: HttpRequest) -> HttpResponse:
    """What was scheduled keeps its instant: the zone of a schedule is stored with it."""
    form = TeamForm(
        request.POST or None, instance=request.team, superuser=request.user.is_superuser
    )
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("团队设置已保存。"))
        return redirect("accounts:members")
    zones = sorted(zone for zone in available_timezones() if "/" in zone)
    context = {"form": form, "zones": zones}
    return render(request, "accounts/team.html", context, status=422 if form.errors else 200)

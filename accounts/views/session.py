"""Signing in and out, and choosing the team to work in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts.current_team import switch_team

sign_in = LoginView.as_view(
    template_name="accounts/sign_in.html", redirect_authenticated_user=True
)
sign_out = LogoutView.as_view()


@login_required
@require_POST
def choose_team(request: HttpRequest, team_id: int) -> HttpResponse:
    """Only a team of one's own can be chosen; any other is not there."""
    switch_team(request, get_object_or_404(request.user.teams.distinct(), pk=team_id))
    return redirect("campaigns:overview")

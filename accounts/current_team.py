"""The team that a signed-in user works in, and the rights there: on every request."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import Team, User, rights_of

SESSION_KEY = "team"


class CurrentTeamMiddleware:
    """Sets request.team (None for an outsider) and request.rights, the team's time zone and the
    user's language. A team from the session counts only while the user is its member."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.team, request.rights = None, frozenset()
        user = request.user
        if user.is_authenticated:
            request.team = _team_of(request, user)
        if request.team is None:
            return self.get_response(request)
        request.rights = rights_of(user, request.team)
        with timezone.override(request.team.zone):
            return self.get_response(request)


def _team_of(request: HttpRequest, user: User) -> Team | None:
    teams = {team.pk: team for team in user.teams.distinct().order_by("pk")}
    return teams.get(request.session.get(SESSION_KEY)) or next(iter(teams.values()), None)


def switch_team(request: HttpRequest, team: Team) -> None:
    """From the next request on, the user works in this team."""
    request.session[SESSION_KEY] = team.pk

"""Who may open a page: a signed-in member of a team, with the right that the page asks for."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.models import Right

View = Callable[..., HttpResponse]


def member(*any_of: Right) -> Callable[[View], View]:
    """Signed in, in a team, and with one of these rights (Right.SEE when none is named)."""
    wanted = set(any_of or (Right.SEE,))

    def decorate(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.team is None:
                return render(request, "accounts/no_team.html", status=403)
            if not wanted & request.rights:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate

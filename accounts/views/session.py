"""Signing in and out, and choosing the team to work in."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from accounts.current_team import switch_team
from accounts.language import remember
from accounts.models import User
from accounts.throttled_sign_in import ThrottledSignInForm


class SignInView(LoginView):
    """Django's view: a new session key, then the pages are in the language that the user once chose."""

    template_name = "accounts/sign_in.html"
    authentication_form = ThrottledSignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: ThrottledSignInForm) -> HttpResponse:
        return remember(super().form_valid(form), form.get_user().language)


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Django's own view, and the choice is kept with the user."""
    language = request.POST.get("language", "")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=language)
    return set_language(request)


sign_in = SignInView.as_view()
sign_out = LogoutView.as_view()


@login_required
@require_POST
def choose_team(request: HttpRequest, team_id: int) -> HttpResponse:
    """Only a team of one's own can be chosen; any other is not there."""
    switch_team(request, get_object_or_404(request.user.teams.distinct(), pk=team_id))
    return redirect("campaigns:overview")

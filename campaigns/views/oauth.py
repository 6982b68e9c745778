"""OAuth logins: applications at Google, Microsoft or elsewhere whose tokens log in instead of passwords."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.db.models.deletion import RestrictedError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.models import OAuthFlow, OAuthLogin, OAuthProvider, Right
from campaigns.forms.oauth import OAuthLoginForm
from campaigns.pipeline import oauth
from campaigns.reasons import sentence
from campaigns.views.access import member

# RFC 6749 5.2 and what providers add to it; any other word is shown as it is.
_REFUSALS = {
    "invalid_grant": gettext_lazy("授权已失效、被撤回，或已过期。请重新授权。"),
    "invalid_client": gettext_lazy("客户端 ID 或客户端密钥不对。"),
    "unauthorized_client": gettext_lazy("这个应用没有获准使用这种授权方式。"),
    "invalid_scope": gettext_lazy("服务商不认识所要的权限范围。"),
    "access_denied": gettext_lazy("授权被拒绝。"),
    "not_connected": gettext_lazy("还没有授权。"),
    "interaction_required": gettext_lazy("服务商要求邮箱的主人再登录一次。请重新授权。"),
}
# Secrets that no page needs: left out, they are not decrypted, and a lost key breaks nothing.
_SECRETS = ("client_secret", "refresh_token", "access_token", "code", "verifier")
_LONGEST_CODE = 4000


@member(Right.RELAYS)
@require_safe
def logins(request: HttpRequest) -> HttpResponse:
    found = _logins(request).annotate(
        relay_count=Count("relays", distinct=True), mailbox_count=Count("mailboxes", distinct=True)
    )
    rows = [{"login": login, **_standing(login)} for login in found.order_by("name")]
    context = {"rows": rows, "providers": OAuthProvider.choices}
    return render(request, "campaigns/oauth/list.html", context)


@member(Right.RELAYS)
def login_new(request: HttpRequest) -> HttpResponse:
    """First the provider, then the application."""
    provider = request.POST.get("provider") or request.GET.get("provider") or ""
    if provider not in OAuthProvider.values:
        context = {"providers": OAuthProvider.choices}
        return render(request, "campaigns/oauth/choose.html", context)
    form = OAuthLoginForm(
        request.POST or None, team=request.team, user=request.user, provider=provider
    )
    if form.is_bound and form.is_valid():
        return _saved(request, form)
    context = {
        "form": form,
        "provider": provider,
        "label": OAuthProvider(provider).label,
        "redirect_uri": oauth.redirect_uri(),
    }
    status = 422 if form.is_bound else 200
    return render(request, "campaigns/oauth/new.html", context, status=status)


@member(Right.RELAYS)
def login(request: HttpRequest, pk: int) -> HttpResponse:
    """One login: how it stands, the way to the provider's page, its settings."""
    found = get_object_or_404(OAuthLogin, pk=pk, team=request.team)
    form = OAuthLoginForm(
        request.POST or None, instance=found, team=request.team, user=request.user
    )
    if form.is_bound and form.is_valid():
        return _saved(request, form)
    stored = _login_or_404(request, pk)
    context = {
        "login": stored,
        "form": form,
        "redirect_uri": oauth.redirect_uri(),
        "asking_url": oauth.asking_url(stored, request.user) if _is_asked(stored) else "",
        "relays": stored.relays.defer("secret", "ca_pem").order_by("name"),
        "mailboxes": stored.mailboxes.defer("secret", "ca_pem").order_by("name"),
        **_standing(stored),
    }
    status = 422 if form.is_bound else 200
    return render(request, "campaigns/oauth/login.html", context, status=status)


@member(Right.RELAYS)
@require_safe
def login_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The section alone; it polls itself while a worker is fetching."""
    found = _login_or_404(request, pk)
    return render(request, "campaigns/oauth/standing.html", {"login": found, **_standing(found)})


@member(Right.RELAYS)
@require_POST
def login_fetch(request: HttpRequest, pk: int) -> HttpResponse:
    """Has a token fetched now."""
    oauth.ask(_login_or_404(request, pk))
    return redirect("campaigns:oauth_login", pk)


@member(Right.RELAYS)
@require_POST
def login_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Only one that no relay and no mailbox uses."""
    try:
        _login_or_404(request, pk).delete()
    except RestrictedError:
        messages.error(request, _("还有发信账号或退信邮箱在用它，不能删除。"))
        return redirect("campaigns:oauth_login", pk)
    messages.success(request, _("OAuth 登录已删除。"))
    return redirect("campaigns:oauth_logins")


@member(Right.RELAYS)
def callback(request: HttpRequest) -> HttpResponse:
    """Where the provider sends the person back to. Coming here changes nothing: a button takes the code."""
    given = request.POST if request.method == "POST" else request.GET
    state, code = given.get("state", ""), given.get("code", "")[:_LONGEST_CODE]
    known = oauth.login_of_state(state, request.user)
    found = _logins(request).filter(pk=known).first() if known is not None else None
    if found is None or not (code and code.isascii() and code.isprintable()):
        refusal = _refusal(given.get("error", "")[:40]) if given.get("error") else ""
        context = {"login": found, "refusal": refusal}
        status = 200 if refusal else 404
        return render(request, "campaigns/oauth/callback.html", context, status=status)
    if request.method == "POST":
        oauth.exchange(found, code=code, state=state)
        return redirect("campaigns:oauth_login", found.pk)
    return render(
        request, "campaigns/oauth/callback.html", {"login": found, "code": code, "state": state}
    )


def _saved(request: HttpRequest, form: OAuthLoginForm) -> HttpResponse:
    """What can be tried at once is; else the person still has to go to the provider."""
    saved = form.save()
    if saved.flow == OAuthFlow.CLIENT or form.cleaned_data["refresh_token"]:
        oauth.ask(saved)
        messages.success(request, _("已保存，正在取令牌。"))
    else:
        messages.success(request, _("已保存。"))
    return redirect("campaigns:oauth_login", saved.pk)


def _is_asked(found: OAuthLogin) -> bool:
    """Whether a person can agree in a browser."""
    return found.flow == OAuthFlow.CODE and bool(oauth.endpoints_of(found).authorize_url)


def _standing(found: OAuthLogin) -> dict[str, Any]:
    """A `check` state, and words where there is more to say."""
    if found.is_open:
        return {"badge": "waiting", "words": "", "open": True}
    if found.refused:
        return {"badge": "broken", "words": _refusal(found.refused), "open": False}
    lives = found.access_until is not None and found.access_until > timezone.now()
    if lives or found.fetched_at is not None:
        return {"badge": "ok", "words": "", "open": False}
    return {"badge": "waiting", "words": str(_REFUSALS["not_connected"]), "open": False}


def _refusal(word: str) -> str:
    known = _REFUSALS.get(word)
    if known is not None:
        return str(known)
    if word in ("token_unreachable", "internal"):
        return sentence("token_unreachable")
    return _("授权服务器拒绝了：%(word)s") % {"word": word}


def _logins(request: HttpRequest) -> QuerySet[OAuthLogin]:
    return OAuthLogin.objects.filter(team=request.team).defer(*_SECRETS)


def _login_or_404(request: HttpRequest, pk: int) -> OAuthLogin:
    return get_object_or_404(_logins(request), pk=pk)

"""The team's members and their roles; and the page about oneself."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.access import member
from accounts.forms import AccountForm, AddMemberForm, RolesForm
from accounts.language import remember
from accounts.membership import Added, LastOwner, add, change_roles
from accounts.models import Membership, Right, Role, User


@member(Right.MEMBERS)
def members(request: HttpRequest) -> HttpResponse:
    return _page(request, AddMemberForm(team=request.team))


@member(Right.MEMBERS)
@never_cache
@require_POST
def add_member(request: HttpRequest) -> HttpResponse:
    """A new user's one-time password stands in the answer to this POST alone: no session, no cookie
    and no log ever holds it, so there is no redirect here."""
    form = AddMemberForm(request.POST, team=request.team)
    if not form.is_valid():
        return _page(request, form, status=422)
    data = form.cleaned_data
    added = add(request.team, email=data["email"], name=data["name"], roles=data["roles"])
    if not added.password:
        messages.success(request, _("%(who)s 已加入团队。") % {"who": added.user})
        return redirect("accounts:members")
    return _page(request, AddMemberForm(team=request.team), added=added)


@member(Right.MEMBERS)
def member_roles(request: HttpRequest, user_id: int) -> HttpResponse:
    """One member's roles, to look at and to change."""
    user = _member_or_404(request, user_id)
    now = Membership.objects.filter(team=request.team, user=user).values_list("role", flat=True)
    form = RolesForm(request.POST or None, initial={"roles": list(now)})
    if request.method == "POST" and form.is_valid():
        return _changed(request, user, form.cleaned_data["roles"], _("角色已更新。"))
    status = 422 if form.is_bound else 200
    context = {"form": form, "person": user}
    return render(request, "accounts/member_roles.html", context, status=status)


@member(Right.MEMBERS)
@require_POST
def remove_member(request: HttpRequest, user_id: int) -> HttpResponse:
    user = _member_or_404(request, user_id)
    return _changed(request, user, [], _("%(who)s 已移出团队。") % {"who": user})


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """One's own name and language, and the password in a form of its own."""
    form = AccountForm(request.POST if "save" in request.POST else None, instance=request.user)
    if form.is_bound and form.is_valid():
        user = form.save()
        messages.success(request, _("已保存。"))
        return remember(redirect("accounts:account"), user.language)
    return _account_page(request, form, PasswordChangeForm(request.user))


@login_required
@require_POST
def change_password(request: HttpRequest) -> HttpResponse:
    """This session goes on; every other session of the user ends."""
    form = PasswordChangeForm(request.user, request.POST)
    if not form.is_valid():
        return _account_page(request, AccountForm(instance=request.user), form, status=422)
    form.save()
    update_session_auth_hash(request, form.user)
    messages.success(request, _("密码已更改；其他设备上的登录已失效。"))
    return redirect("accounts:account")


def _page(
    request: HttpRequest, form: AddMemberForm, *, added: Added | None = None, status: int = 200
) -> HttpResponse:
    context = {"people": _people(request), "form": form, "added": added}
    return render(request, "accounts/members.html", context, status=status)


def _people(request: HttpRequest) -> list[dict[str, object]]:
    """Each member once, with all roles, owners first."""
    rows = Membership.objects.filter(team=request.team).select_related("user")
    people: dict[int, dict[str, object]] = {}
    for row in rows.order_by("user__email", "pk"):
        person = people.setdefault(
            row.user_id, {"user": row.user, "roles": [], "joined": row.created_at, "owner": False}
        )
        person["roles"].append(row.get_role_display())  # type: ignore[attr-defined]
        person["owner"] = person["owner"] or row.role == Role.OWNER
    return sorted(people.values(), key=lambda person: not person["owner"])


def _member_or_404(request: HttpRequest, user_id: int) -> User:
    return get_object_or_404(User.objects.filter(teams=request.team).distinct(), pk=user_id)


def _changed(request: HttpRequest, user: User, roles: list[str], done: str) -> HttpResponse:
    try:
        change_roles(request.team, user, roles)
    except LastOwner:
        messages.error(request, _("团队至少要有一位所有者。请先把另一位成员设为所有者。"))
    else:
        messages.success(request, done)
    if request.user == user and Role.OWNER not in roles:
        return redirect("campaigns:overview")
    return redirect("accounts:members")


def _account_page(
    request: HttpRequest, form: AccountForm, password: PasswordChangeForm, *, status: int = 200
) -> HttpResponse:
    context = {"form": form, "password_form": password}
    return render(request, "accounts/account.html", context, status=422 if form.errors else status)

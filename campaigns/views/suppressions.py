"""Suppressions: whom the team must not mail, since when and why."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import Right
from campaigns.forms.suppressions import SuppressionForm
from campaigns.models import HeldSuppression, Suppression
from campaigns.models.feedback import SuppressionReason
from campaigns.views.access import member
from campaigns.views.search import words_of

log = logging.getLogger(__name__)
PAGE = 50
# The scope of those that hold for all lists.
EVERYWHERE = "all"
# Who may change what everybody of the team may see.
CHANGERS = (Right.RELAYS, Right.NEWSLETTERS)


@member()
def suppressions(request: HttpRequest) -> HttpResponse:
    """The newest first, by reason and by a part of the address."""
    mine = Suppression.objects.filter(team=request.team)
    search = words_of(request)
    reason = request.GET.get("state", "")
    counts = dict(mine.values_list("reason").annotate(Count("pk")))
    scope = request.GET.get("scope", "")
    found = _of_scope(_filtered(mine, search, reason), scope)
    rows = found.select_related("contact_list", "created_by").order_by("-created_at", "-pk")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "page": page,
        "search": search,
        "keep": {"state": reason},
        "filters": [_scopes(mine, scope)],
        "reason": reason,
        "total": sum(counts.values()),
        "held": HeldSuppression.objects.filter(team=request.team).count(),
        "chips": [
            {"value": value, "label": label, "count": counts.get(value, 0)}
            for value, label in SuppressionReason.choices
            if counts.get(value)
        ],
        "may_import": Right.NEWSLETTERS in request.rights,
        "may_change": bool(request.rights & set(CHANGERS)),
    }
    return render(request, "campaigns/suppressions/list.html", context)


@member(*CHANGERS)
def suppression_new(request: HttpRequest) -> HttpResponse:
    form = SuppressionForm(request.POST or None, team=request.team)
    if form.is_bound and form.is_valid():
        added, known = form.save(request.team, request.user)
        messages.success(
            request,
            _("已屏蔽 %(added)d 个地址；另有 %(known)d 个原来就在名单里。")
            % {"added": added, "known": known},
        )
        return redirect("campaigns:suppressions")
    return render(
        request,
        "campaigns/suppressions/new.html",
        {"form": form},
        status=422 if form.is_bound else 200,
    )


@member(*CHANGERS)
@require_POST
def suppression_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """The address may be mailed again. Who did it is in the log, without the address."""
    found = get_object_or_404(Suppression, pk=pk, team=request.team)
    found.delete()
    log.info("Suppression %s (%s) removed by user %s", pk, found.reason, request.user.pk)
    messages.success(
        request, _("%(address)s 已移出屏蔽名单，以后会再收到邮件。") % {"address": found.address}
    )
    return redirect("campaigns:suppressions")


def _scopes(rows: QuerySet[Suppression], scope: str) -> dict[str, Any]:
    """The lists that have suppressions of their own, as a filter."""
    lists = rows.exclude(contact_list=None).values_list("contact_list", "contact_list__name")
    found = [(str(pk), name) for pk, name in lists.distinct().order_by("contact_list__name")]
    options = [
        {"value": value, "label": label, "selected": value == scope}
        for value, label in [(EVERYWHERE, _("对全部名单屏蔽")), *found]
    ]
    return {"name": "scope", "label": _("任何范围"), "options": options}


def _of_scope(rows: QuerySet[Suppression], scope: str) -> QuerySet[Suppression]:
    if scope == EVERYWHERE:
        return rows.filter(contact_list=None)
    if scope.isascii() and scope.isdecimal() and len(scope) < 19:
        return rows.filter(contact_list=int(scope))
    return rows


def _filtered(rows: QuerySet[Suppression], search: str, reason: str) -> QuerySet[Suppression]:
    if search:
        rows = rows.filter(address__icontains=search)
    if reason in SuppressionReason.values:
        rows = rows.filter(reason=reason)
    return rows

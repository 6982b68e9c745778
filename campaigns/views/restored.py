"""A restored copy of the database: what that means, and switching sending on again."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Right
from campaigns.models import Campaign
from campaigns.models.campaign import Hold
from campaigns.models.delivery import WAITING
from campaigns.pipeline import restored as restoring
from campaigns.views.access import member

# How it was seen (Team.sending_off_reason).
REASONS = {
    "moved": gettext_lazy("数据库是从备份恢复、复制或迁移来的：它和原来的不是同一个。"),
    "older": gettext_lazy("数据库比系统记得的旧：它被退回到了以前的状态。"),
    "recovered": gettext_lazy("数据库服务器恢复到了某个时间点，之后发生的事可能不在里面。"),
    "by_hand": gettext_lazy("有人用 manage.py mark_restored 说明这是恢复的副本。"),
}
LISTED = 50


@member(Right.MEMBERS)
@require_safe
def restored(request: HttpRequest) -> HttpResponse:
    """Read first, then decide."""
    held = Campaign.objects.filter(team=request.team, hold_reason=Hold.RESTORED_COPY)
    waiting = Count("deliveries", filter=Q(deliveries__state__in=WAITING))
    context = {
        "why": REASONS.get(request.team.sending_off_reason, ""),
        "held": held.annotate(waiting=waiting).order_by("-created_at")[:LISTED],
        "held_number": held.count(),
    }
    return render(request, "campaigns/restored.html", context)


@member(Right.MEMBERS)
@require_POST
def restored_switch_on(request: HttpRequest) -> HttpResponse:
    if request.POST.get("understood") != "on":
        messages.error(request, _("请先勾选：您知道原来的系统已经停止，或者不会再发信。"))
        return redirect("campaigns:restored")
    if restoring.switch_on(request.team):
        messages.success(request, _("发信已打开。暂缓的活动要逐个解除。"))
    else:
        messages.info(request, _("状态已经变了，这一步没有生效。"))
    return redirect("campaigns:restored")

"""Suppressions above the hour's cap: grouped by what they have in common, so that a person can decide."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Team
from campaigns.models import HeldSuppression
from campaigns.models.feedback import SuppressionReason
from campaigns.pipeline.suppress import accept_held, drop_held
from campaigns.views.access import member
from campaigns.views.suppressions import CHANGERS

SAMPLES = 3


@dataclass
class Group:
    """The held addresses of one domain with one reason."""

    domain: str
    reason: str
    ids: list[int] = field(default_factory=list)
    samples: list[tuple[str, int | None]] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.reason}|{self.domain}"

    @property
    def label(self) -> str:
        return str(SuppressionReason(self.reason).label)

    @property
    def more(self) -> int:
        return len(self.ids) - len(self.samples)


@member()
@require_safe
def held_suppressions(request: HttpRequest) -> HttpResponse:
    """The largest group first: one server that calls everybody unknown stands out."""
    context = {
        "groups": _groups(request.team),
        "cap": request.team.suppressions_per_hour,
        "may_change": bool(request.rights & set(CHANGERS)),
    }
    return render(request, "campaigns/suppressions/held.html", context)


@member(*CHANGERS)
@require_POST
def held_decide(request: HttpRequest) -> HttpResponse:
    """`group`: each that is meant; `act`: accept or drop."""
    wanted = set(request.POST.getlist("group"))
    ids = [pk for group in _groups(request.team) if group.key in wanted for pk in group.ids]
    if not ids:
        messages.info(request, _("没有选中任何一组。"))
    elif request.POST.get("act") == "accept":
        number = accept_held(request.team, request.user, ids)
        text = ngettext("已屏蔽 %(n)s 个地址。", "已屏蔽 %(n)s 个地址。", number)
        messages.success(request, text % {"n": number})
    else:
        number = drop_held(request.team, ids)
        text = ngettext("%(n)s 个地址不屏蔽。", "%(n)s 个地址不屏蔽。", number)
        messages.success(request, text % {"n": number})
    return redirect("campaigns:held_suppressions")


def _groups(team: Team) -> list[Group]:
    found: dict[str, Group] = {}
    rows = HeldSuppression.objects.filter(team=team).order_by("pk")
    for pk, address, reason, delivery in rows.values_list("pk", "address", "reason", "delivery"):
        group = Group(address.rpartition("@")[2], reason)
        group = found.setdefault(group.key, group)
        group.ids.append(pk)
        if len(group.samples) < SAMPLES:
            group.samples.append((address, delivery))
    return sorted(found.values(), key=lambda group: -len(group.ids))

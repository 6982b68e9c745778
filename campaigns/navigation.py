"""The menu: what the signed-in member's rights open, in groups (a context processor)."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Right, Team
from campaigns.models import Alert

# English tells one workbook from many; the context "menu" asks for the many.
# (label, url name, icon, rights of which one is needed)
ENTRIES = [
    (_("总览"), "campaigns:overview", "home", {Right.SEE}),
    (_("群发活动"), "campaigns:campaigns", "send", {Right.SEE}),
    (
        pgettext_lazy("menu", "工作簿"),
        "campaigns:workbooks",
        "table",
        {Right.PAYSLIPS, Right.NEWSLETTERS},
    ),
    (
        pgettext_lazy("menu", "模板"),
        "campaigns:templates",
        "template",
        {Right.PAYSLIPS, Right.NEWSLETTERS},
    ),
    (_("名单与联系人"), "campaigns:lists", "users", {Right.NEWSLETTERS}),
    (_("投递"), "campaigns:deliveries", "mail", {Right.SEE}),
    (_("屏蔽名单"), "campaigns:suppressions", "ban", {Right.SEE}),
    (pgettext_lazy("menu", "发信账号"), "campaigns:relays", "server", {Right.RELAYS}),
    (pgettext_lazy("menu", "退信邮箱"), "campaigns:mailboxes", "inbox", {Right.RELAYS}),
    (_("DKIM 密钥"), "campaigns:keys", "key", {Right.RELAYS}),
    (_("域名检查"), "campaigns:domains", "world", {Right.RELAYS}),
    (_("告警"), "campaigns:alerts", "bell", {Right.SEE}),
    (_("团队"), "accounts:members", "team", {Right.MEMBERS}),
    (_("邮件沙箱"), "sandbox:inbox", "sandbox", {Right.SEE}),
]


def navigation(request: HttpRequest) -> dict[str, Any]:
    """`nav`: label, url, icon and active of each entry; `teams`: where else the user is a member."""
    team = getattr(request, "team", None)
    if team is None:
        return {"nav": [], "teams": []}
    teams = request.user.teams.distinct().annotate(open_alerts=_open_alerts())
    return {"nav": list(_entries(request, teams)), "teams": teams, "team": team}


def _open_alerts() -> Subquery:
    """How many each team has: asked with the teams, so that the badge costs no query of its own."""
    alerts = Alert.objects.filter(team=OuterRef("pk"), closed_at=None).order_by()
    return Subquery(alerts.values("team").annotate(number=Count("pk")).values("number"))


def _alerts_here(request: HttpRequest, teams: QuerySet[Team]) -> int:
    """For the badge; called by the page that draws it, when it has read the teams."""
    return next((row.open_alerts or 0 for row in teams if row.pk == request.team.pk), 0)


def _entries(request: HttpRequest, teams: QuerySet[Team]) -> Any:
    for label, name, icon, rights in ENTRIES:
        try:
            url = reverse(name)
        except NoReverseMatch:  # the sandbox is there in an embedded run alone
            continue
        if rights & request.rights:
            active = request.path == url or (url != "/" and request.path.startswith(url))
            count = partial(_alerts_here, request, teams) if name == "campaigns:alerts" else 0
            yield {"label": label, "url": url, "icon": icon, "active": active, "count": count}

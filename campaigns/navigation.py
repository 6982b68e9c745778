"""The menu: what the signed-in member's rights open, in groups (a context processor)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Right, Team
from campaigns.models import Alert


@dataclass(frozen=True)
class Entry:
    """One line of the menu. `rights`: one of them is needed; `beside`: other addresses that belong to it."""

    label: str | Promise
    name: str
    icon: str
    rights: frozenset[str]
    beside: tuple[str, ...] = ()


SEE, RELAYS = frozenset({Right.SEE}), frozenset({Right.RELAYS})
WRITING = frozenset({Right.PAYSLIPS, Right.NEWSLETTERS})
# What is looked at daily stands first, without a heading (a phone's bar shows these); then what is
# prepared, what mail goes through, and who may. English tells one workbook from many: "menu" asks for the many.
GROUPS: tuple[tuple[str | Promise, tuple[Entry, ...]], ...] = (
    (
        "",
        (
            Entry(_("总览"), "campaigns:overview", "home", SEE),
            Entry(_("群发活动"), "campaigns:campaigns", "send", SEE),
            Entry(_("投递"), "campaigns:deliveries", "mail", SEE),
            Entry(_("告警"), "campaigns:alerts", "bell", SEE),
        ),
    ),
    (
        _("内容和收件人"),
        (
            Entry(pgettext_lazy("menu", "工作簿"), "campaigns:workbooks", "table", WRITING),
            Entry(
                _("名单与联系人"),
                "campaigns:lists",
                "users",
                frozenset({Right.NEWSLETTERS}),
                ("/contacts/",),
            ),
            Entry(pgettext_lazy("menu", "模板"), "campaigns:templates", "template", WRITING),
            Entry(_("工资条排版"), "campaigns:layouts", "receipt", frozenset({Right.PAYSLIPS})),
            Entry(_("屏蔽名单"), "campaigns:suppressions", "ban", SEE),
        ),
    ),
    (
        _("发信和收退信"),
        (
            Entry(
                pgettext_lazy("menu", "发信账号"),
                "campaigns:relays",
                "server",
                RELAYS,
                ("/hours/", "/oauth/", "/rules/", "/probes/"),
            ),
            Entry(_("收件域限速"), "campaigns:limits", "adjustments-horizontal", RELAYS),
            Entry(
                pgettext_lazy("menu", "退信邮箱"),
                "campaigns:mailboxes",
                "inbox",
                RELAYS,
                ("/unrecognised/", "/originals/", "/phrases/"),
            ),
            Entry(_("DKIM 密钥"), "campaigns:keys", "key", RELAYS),
            Entry(_("域名检查"), "campaigns:domains", "world", RELAYS),
        ),
    ),
    (
        _("管理"),
        (
            Entry(
                _("团队"),
                "accounts:members",
                "team",
                frozenset({Right.MEMBERS}),
                ("/accounts/team/",),
            ),
            Entry(_("邮件沙箱"), "sandbox:inbox", "sandbox", SEE),
        ),
    ),
)


def navigation(request: HttpRequest) -> dict[str, Any]:
    """`nav`: group, label, url, icon and active of each entry; `teams`: where else the user is a member."""
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


def _entries(request: HttpRequest, teams: QuerySet[Team]) -> Iterator[dict[str, Any]]:
    for group, entries in GROUPS:
        for entry in entries:
            try:
                url = reverse(entry.name)
            except NoReverseMatch:  # the sandbox is there in an embedded run alone
                continue
            if entry.rights & request.rights:
                is_alerts = entry.name == "campaigns:alerts"
                yield {
                    "group": group,
                    "label": entry.label,
                    "url": url,
                    "icon": entry.icon,
                    "active": _is_here(request.path, url, entry.beside),
                    "count": partial(_alerts_here, request, teams) if is_alerts else 0,
                }


def _is_here(path: str, url: str, beside: tuple[str, ...]) -> bool:
    return path == url or path.startswith(beside if url == "/" else (url, *beside))

"""The menu: what the signed-in member's rights open, in groups (a context processor)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Right

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
    (_("团队"), "accounts:members", "team", {Right.MEMBERS}),
    (_("邮件沙箱"), "sandbox:inbox", "sandbox", {Right.SEE}),
]


def navigation(request: HttpRequest) -> dict[str, Any]:
    """`nav`: label, url, icon and active of each entry; `teams`: where else the user is a member."""
    team = getattr(request, "team", None)
    if team is None:
        return {"nav": [], "teams": []}
    return {"nav": list(_entries(request)), "teams": request.user.teams.distinct(), "team": team}


def _entries(request: HttpRequest) -> Any:
    for label, name, icon, rights in ENTRIES:
        try:
            url = reverse(name)
        except NoReverseMatch:  # the sandbox is there in an embedded run alone
            continue
        if rights & request.rights:
            active = request.path == url or (url != "/" and request.path.startswith(url))
            yield {"label": label, "url": url, "icon": icon, "active": active}

"""How a campaign's message will fare: a lint of it, and SpamAssassin's verdict; loaded after the page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from campaigns.pipeline.compose import Unsendable
from campaigns.pipeline.lint import LintFinding, lint_campaign
from campaigns.reasons import sentence
from campaigns.views.access import member
from campaigns.views.found import own_readable_campaign

# What a reader or a filter will hold against the message, and what only could be better.
NOTICES = {"subject_long", "link_plain", "link_nameless", "html_lacks"}

TEXTS: dict[str, Promise] = {
    "subject_long": _("主题有 %(length)s 个字，手机上只能看到前 %(most)s 个左右。"),
    "subject_shouts": _("主题里有成串的感叹号或全是大写，容易被当成垃圾邮件。"),
    "subject_pretends": _("主题以“回复：”或“转发：”开头，像是冒充往来邮件。"),
    "gmail_clip": _(
        "HTML 正文有 %(kb)s kB；Gmail 只显示前 %(most)s kB，其余（连同退订链接）被截掉。"
    ),
    "no_text": _("没有纯文本正文。"),
    "text_lacks": _("HTML 正文里的词有 %(percent)s%% 不在纯文本正文里：两份内容不一样。"),
    "html_lacks": _("纯文本正文里的词有 %(percent)s%% 不在 HTML 正文里：两份内容不一样。"),
    "no_alt": _("有 %(total)s 张图片没有替代文字（alt）：不显示图片的邮箱里是空白。"),
    "image_only": _("除了图片几乎没有文字（%(words)s 个字），多数邮箱默认不显示图片。"),
    "data_image": _("图片写在 data: 地址里，Gmail 和 Outlook 不会显示。"),
    "big_picture": _("有 %(total)s 张随信图片太大。"),
    "link_nowhere": _("有 %(total)s 个链接没有目标。"),
    "link_differs": _("有 %(total)s 个链接写的网址和打开的网址不是同一个网站，像是钓鱼邮件。"),
    "link_shortened": _("有 %(total)s 个短网址，很多服务器直接拒收。"),
    "link_number": _("有 %(total)s 个链接指向 IP 地址而不是域名。"),
    "link_plain": _("有 %(total)s 个链接没有用 HTTPS。"),
    "link_nameless": _("有 %(total)s 个链接没有文字，读屏软件读不出来。"),
    "no_unsubscribe_header": _("邮件头里没有 List-Unsubscribe。"),
    "no_unsubscribe_link": _("%(part)s里没有退订链接（unsubscribe_url）。"),
}
PARTS = {"html": _("HTML 正文"), "text": _("纯文本正文")}


@member()
@require_safe
def campaign_lint(request: HttpRequest, pk: int) -> HttpResponse:
    """A fragment for the draft's page; it stands alone where there is no script."""
    campaign = own_readable_campaign(request, pk)
    context: dict[str, Any] = {"campaign": campaign}
    try:
        linted = lint_campaign(campaign)
    except Unsendable as error:
        context |= {"why": sentence(error.reason), "detail": error.detail}
    else:
        if linted is not None:
            context |= {
                "linted": linted,
                "findings": [_shown(finding) for finding in linted.findings],
            }
    response = render(request, "campaigns/campaigns/lint.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


def _shown(finding: LintFinding) -> dict[str, Any]:
    params = dict(finding.params)
    if "part" in params:
        params["part"] = str(PARTS[str(params["part"])])
    return {
        "severity": "notice" if finding.kind in NOTICES else "warning",
        "text": str(TEXTS[finding.kind]) % params,
        "places": finding.places,
        "more": max(0, finding.total - len(finding.places)),
    }

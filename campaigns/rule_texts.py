"""Rules on replies in words: whose they are, what they recognise, and what follows."""

from __future__ import annotations

import re
from datetime import timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns.mailer.reply import Outcome, ReplyRule, Scope, Verdict
from campaigns.mailer.reply_reasons import Reason
from campaigns.reasons import sentence

PROVIDERS: dict[str, str | Promise] = {
    "netease": gettext_lazy("网易（163、126、企业邮箱）"),
    "tencent": gettext_lazy("腾讯（QQ、企业邮箱）"),
    "aliyun": gettext_lazy("阿里云"),
    "gmail": "Gmail",
    "office365": "Office 365",
    "ses": "Amazon SES",
    "anyone": gettext_lazy("各家服务器"),
}
_CLAUSE_END = re.compile(r"[。；;]|\.(?:\s|$)")
_SAYS: dict[str, str | Promise] = {
    "netease": gettext_lazy("网易"),
    "tencent": gettext_lazy("腾讯"),
    "anyone": gettext_lazy("服务器"),
}


def said(rule: ReplyRule) -> str:
    """“网易：发送过于频繁…（MI:SFQ）”; of an own rule what its maker wrote."""
    if rule.sentence:
        return rule.sentence
    provider = rule.key.partition("/")[0]
    params = {
        "who": _SAYS.get(provider) or PROVIDERS.get(provider, _("服务器")),
        # What follows is said by `effect`: the first clause alone.
        "what": _CLAUSE_END.split(sentence(str(rule.meaning)))[0],
        "sign": rule.sign,
    }
    return _("%(who)s：%(what)s（%(sign)s）") % params


def lasting(span: timedelta | None) -> str:
    """“30 分钟”; "" for none."""
    seconds = int(span.total_seconds()) if span else 0
    if not seconds:
        return ""
    if seconds % 86_400 == 0:
        return ngettext("%(n)s 天", "%(n)s 天", seconds // 86_400) % {"n": seconds // 86_400}
    if seconds % 3600 == 0:
        return ngettext("%(n)s 小时", "%(n)s 小时", seconds // 3600) % {"n": seconds // 3600}
    if seconds % 60 == 0:
        return ngettext("%(n)s 分钟", "%(n)s 分钟", seconds // 60) % {"n": seconds // 60}
    return ngettext("%(n)s 秒", "%(n)s 秒", seconds) % {"n": seconds}


def effect(what: Verdict | ReplyRule) -> str:
    """What happens to relay, recipient and campaign."""
    reason = what.reason if isinstance(what, Verdict) else what.meaning
    span = {"span": lasting(what.park_for) or lasting(timedelta(minutes=1))}
    match what.scope, what.outcome:
        case Scope.CONNECTION, _outcome:
            return _("断开，换一个连接再试；收件人不受影响。")
        case _scope, Outcome.REFUSED:
            if isinstance(what, Verdict) and what.permanent_address:
                return _("算作被拒，不再尝试；地址本身不可用，加入屏蔽名单。")
            return _("算作被拒，不再尝试；地址不会被屏蔽。")
        case Scope.RELAY, _outcome if reason is Reason.AUTH_REFUSED:
            return _("停用这个发信账号，并通知管理员；收件人照旧排队，不会算作失败。")
        case Scope.RELAY, _outcome:
            return _("这个发信账号停 %(span)s；收件人照旧排队，不会算作失败，也不会被屏蔽。") % span
        case Scope.DOMAIN, _outcome:
            return _("这个账号停 %(span)s 不往该收件域名发，其他域名照发；地址不会被屏蔽。") % span
        case Scope.CONTENT, _outcome:
            return _("暂停这个活动，请人检查内容；地址不会被屏蔽。")
    if what.park_for:
        return _("这位收件人至少 %(span)s 后再试；地址不会被屏蔽。") % span
    return _("这位收件人稍后再试；地址不会被屏蔽。")

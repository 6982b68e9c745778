"""Alerts in words: for the page and for the channels, in the active language and time zone.

Numbers, codes and names of relays, mailboxes and newsletters; nothing of a message, a recipient or a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from campaigns.models import Alert
from campaigns.models.alert import AlertKind, TellingOccasion
from campaigns.models.campaign import Hold
from campaigns.reasons import sentence

_WORDS: Mapping[str, Promise] = {
    AlertKind.RELAY_LOGIN: _(
        "发信账号“%(name)s”停用了：%(reason)s 没有收件人因此算作失败，改好后会接着发。"
    ),
    AlertKind.RELAY_PARKED: _(
        "发信账号“%(name)s”停了很久，或一再暂停（6 小时内 %(stops)s 次）：%(reason)s"
    ),
    AlertKind.NO_RELAY: _("%(campaign)s正在发送，但没有一个发信账号可用，邮件在排队。"),
    AlertKind.CAMPAIGN_HELD: _("%(campaign)s停下来等人处理：%(hold)s。"),
    AlertKind.IN_DOUBT: _(
        "%(campaign)s有 %(number)s 封待确认：可能已收下，也可能没有，要由人决定。"
    ),
    AlertKind.MAILBOX: _("退信邮箱“%(name)s”收不了信：%(reason)s"),
    AlertKind.DNS: _("%(domain)s 的 DNS 记录变坏了，经“%(name)s”发的邮件会受影响。"),
    AlertKind.SUPPRESSIONS: _(
        "要屏蔽的地址一小时内超过了上限，%(number)s 个在等人决定。请看看是不是哪里出了错。"
    ),
    AlertKind.WORKERS: _(
        "后台程序停了 %(minutes)s 分钟，这段时间没有发信，也没有收退信。请系统管理员看看 worker 和 beat。"
    ),
    AlertKind.DISK: _("磁盘快满了，只剩 %(percent)s%%。写满之后邮件会停发。"),
}
_OCCASIONS: Mapping[str, Promise] = {
    TellingOccasion.BEGAN: _("出事了"),
    TellingOccasion.LASTS: _("还没有解决"),
    TellingOccasion.OVER: _("恢复了"),
}
_PATHS = {
    "relay": "/relays/%d/",
    "campaign": "/campaigns/%d/",
    "mailbox": "/mailboxes/%d/",
    "domain": "/domains/%d/",
}
# How a telling ended: codes of mailer.robots.Trouble, mailer.https.PostFailure and our own.
RESULTS: Mapping[str, Promise] = {
    "robot_signature": _(
        "机器人不认签名。请核对签名密钥；钉钉若设的是关键词，请把“鸿雁”设为关键词；若设了 IP 白名单，请加上本机的 IP。"
    ),
    "robot_keyword": _("机器人要求关键词。请在它的安全设置里把“鸿雁”设为关键词。"),
    "robot_address": _("机器人的 IP 白名单里没有本机。请把本机的公网 IP 加进去。"),
    "robot_gone": _("机器人不在了，或 Webhook 地址不对。请重新复制地址。"),
    "robot_busy": _("机器人一分钟只收 20 条，会自动再试。"),
    "robot_refused": _("机器人没有收下这条消息。请核对地址和密钥。"),
    "url": _("Webhook 地址不能用。请从机器人的设置里重新复制，以 https:// 开头。"),
    "same_relay": _("这条告警说的就是这个渠道用的发信账号，所以没有经它发。请再加一个机器人。"),
    "over_already": _("还没发出就恢复了。"),
    "relay_unusable": _("这个渠道用的发信账号停用或暂停了。"),
    "mail_refused": _("服务器没有收下这封告警邮件。请测试这个发信账号。"),
}


def words(alert: Alert) -> str:
    """One or two sentences."""
    params = dict(alert.params)
    maildrop = alert.kind == AlertKind.MAILBOX
    given = {
        "name": params.get("name", ""),
        "reason": sentence(params.get("reason", ""), maildrop=maildrop),
        "stops": params.get("stops", 0),
        "campaign": _campaign(params),
        "hold": _hold(params.get("hold", "")),
        "number": params.get("number", 0),
        "domain": params.get("domain", ""),
        "minutes": params.get("minutes", 0),
        "percent": params.get("percent", 0),
    }
    return str(_WORDS[alert.kind]) % given


def _campaign(params: Mapping[str, Any]) -> str:
    if params.get("campaign"):
        return _now("活动“%(name)s”") % {"name": params["campaign"]}
    return _now("工资条活动 #%(id)s ") % {"id": params.get("id", "")}


def _hold(reason: str) -> str:
    return str(Hold(reason).label) if reason in Hold.values else reason


def path(alert: Alert) -> str:
    """Where it is dealt with, below this site; "" where no page is."""
    if pattern := _PATHS.get(alert.subject, ""):
        return pattern % alert.subject_id
    return "/suppressions/held/" if alert.kind == AlertKind.SUPPRESSIONS else ""


def message(team: str, told: list[tuple[str, Alert | None]]) -> str:
    """One text for a group or a mail: each alert with its occasion and its page; None: a test."""
    lines = [_now("【鸿雁】%(team)s") % {"team": team}]
    for occasion, alert in told:
        if alert is None:
            lines.append(_now("这是一条测试消息：鸿雁的告警会发到这里。"))
            continue
        lines.append(_OCCASIONS[occasion] + _now("：") + words(alert))
        if link := path(alert):
            lines.append(settings.PUBLIC_URL + link)
    return "\n".join(lines)


def subject(told: list[tuple[str, Alert | None]]) -> str:
    """The subject line of a mail that tells these."""
    kinds = [alert for _occasion, alert in told if alert is not None]
    if not kinds:
        return _now("【鸿雁】测试消息")
    first = AlertKind(kinds[0].kind).label
    if len(kinds) == 1:
        return _now("【鸿雁】%(what)s") % {"what": first}
    return _now("【鸿雁】%(what)s，共 %(number)s 条告警") % {"what": first, "number": len(kinds)}


def result(code: str) -> str:
    """What became of a telling, and what to do."""
    found = RESULTS.get(code)
    return str(found) if found else sentence(code)

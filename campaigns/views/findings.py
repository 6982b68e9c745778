"""What a pre-flight found, as sentences in the reader's language, with where and how to put it right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import Right
from campaigns import domain_texts
from campaigns.models import Campaign
from campaigns.models.campaign import Duplicates
from campaigns.models.feedback import SuppressionReason
from campaigns.pipeline.preflight import BLOCK, WARN, Finding, Place
from campaigns.reasons import sentence

SEVERITY = {BLOCK: "error", WARN: "warning"}
# How many places a page names before it says how many more there are.
NAMED = 12

TEXTS: dict[str, Promise] = {
    "no_relay": _("还没有选择发信账号。"),
    "relay_disabled": _("发信账号“%(relay)s”已停用。"),
    "relay_parked": _("发信账号“%(relay)s”暂停使用到 %(until)s：%(reason)s"),
    "from_not_allowed": _("发信账号“%(relay)s”不能用 %(address)s 发信。它可用的地址：%(allowed)s"),
    "no_key": _("域名 %(domain)s 没有启用的 DKIM 密钥：邮件不会签名，容易进垃圾箱。"),
    "key_waiting": _("域名 %(domain)s 的 DKIM 密钥还没有查到发布的记录：邮件暂时不会签名。"),
    "public_url": _(
        "邮件里有链接，但本系统的网址 %(url)s 在外面打不开（要用 HTTPS，且不是本机或内网地址）。"
    ),
    "no_audience": _("还没有选择收件人。"),
    "no_recipients": _("没有收件人。"),
    "rows_awaited": _("名单正在为这个活动准备，稍等片刻再看。"),
    "import_running": _("这个名单正在导入，等导入完成后再启动。"),
    "no_template": _("还没有选择模板。"),
    "layout_missing": _("排版里有 %(total)s 列在工作簿里找不到：%(columns)s。"),
    "layout_new": _("工作簿里有 %(total)s 个新的列，排版里还没有安排：%(columns)s。"),
    "subject_fault": _("活动的主题：%(text)s"),
    "subject_in_clear": _("附件是加密的，主题却写出了这些列：%(fields)s。"),
    "template_fault": _("模板（%(part)s 第 %(line)s 行第 %(column)s 列）：%(text)s"),
    "workbook_unconfirmed": _("工作簿“%(name)s”还没有确认。"),
    "content_destroyed": _("工作簿的内容已销毁，不能再发送。"),
    "empty_field": _("模板里用到的“%(field)s”有 %(total)s 处是空的。"),
    "unreadable_cell": _("有 %(total)s 个单元格读不出来（公式没有结果、错误值或丢了位数）。"),
    "duplicates_undecided": _("有 %(total)s 行的地址不止出现一次，请决定怎么发。"),
    "duplicates_stop": _("有 %(total)s 行的地址不止出现一次；按您的决定，修正工作簿之前不发送。"),
    "duplicates_decided": _("有 %(total)s 行的地址不止出现一次：%(decision)s。"),
    "merged_unfit": _(
        "重复的地址要合并为一封，但模板没有逐列画出整行（for cell in cells），合并后只会看到第一行。"
    ),
    "bounced_before": _("有 %(total)s 行的地址以前退过信或被拒收。请在工作簿里改正，或仍然发送。"),
    "sent_anyway": _("有 %(total)s 行的地址以前退过信，按您的决定仍然发送。"),
    "smtputf8": _("有 %(total)s 个地址含非英文字符，发信服务器不支持 SMTPUTF8 就发不出去。"),
    "day_limit": _("收件人有 %(recipients)s 位，超过发信账号每天 %(limit)s 封的上限。"),
    "day_limit_used": _(
        "今天已发 %(used)s 封，再发 %(recipients)s 封会超过每天 %(limit)s 封的上限；剩下的要等额度恢复。"
    ),
    "too_slow": _(
        "要发%(duration)s，到 %(ends)s 才完成，而没发出的邮件到 %(deadline)s 就放弃。请放宽限速、时段或放弃前的小时数，或分几次发送。"
    ),
    "forecast": _("现在启动的话，预计用时%(duration)s，%(ends)s 完成。"),
    "never_done": _("按现在的限速和时段，预计不了何时完成。请检查发信账号、收件域限速和发送时段。"),
    "closed_now": _("现在不在发送时段内：启动后等到 %(time)s 才开始发送。"),
    "holidays_unknown": _(
        "系统还不知道 %(years)s 年的放假和调休安排，那时按周一到周五发送，元旦、五一和国庆的法定日子除外。安排公布后升级系统即可。"
    ),
    "recipients": _("共 %(number)s 位收件人。"),
    "no_password_column": _("工作簿里没有“%(column)s”这一列，附件没有密码。"),
    "no_password_any": _("没有一行能按这个规则得到密码，一封也发不出去。请改密码所在的列或位数。"),
    "no_password": _("有 %(total)s 行的密码是空的：这些不会发出，其余照常。"),
    "password_short": _("有 %(total)s 行的密码太短：这些不会发出，其余照常。"),
    "password_characters": _(
        "有 %(total)s 行的密码含字母和数字以外的字符：这些不会发出，其余照常。"
    ),
    "password_same": _("%(total)s 个附件的密码全都一样，等于没有加密。请换一列。"),
    "hint_leaks": _("密码提示里写出了密码本身。"),
    "password_in_body": _("模板把“%(column)s”写进了正文，附件的密码等于公开了。"),
    "fields_in_clear": _("正文没有加密，却写出了这些列：%(fields)s。"),
    "sent_before": _("这份工资条已经发过了：活动“%(name)s”，%(time)s 启动。"),
    "correction": _("这是对“%(name)s”的更正，邮件里会写明。"),
    "no_confirm_link": _("活动请员工确认，但模板里没有 confirm_url，员工找不到确认的页面。"),
    "no_password_hint": _("模板里没有 password_hint，收件人不知道怎么打开附件。"),
    "suppressed": _("其中 %(number)s 个地址在屏蔽名单里，不会发送。"),
    "unsubscribed": _("名单里另有 %(number)s 位已退订，不会发送。"),
    "addresses_matched": _("有 %(number)s 行的地址取自联系人（%(attribute)s）。"),
    "match_differs": _("有 %(total)s 行的姓名与联系人的姓名不同，请核对没有发错人。"),
    "match_changed": _(
        "有 %(total)s 行的地址取自联系人，而联系人的地址后来改了：按确认时的地址发送。"
    ),
    "completes": _("只发“%(name)s”里出错后改好的行。"),
    "completes_lost": _("“%(name)s”的内容已经销毁，无法核对谁已经收到，不能再补发。"),
    "sent_meanwhile": _("有 %(total)s 行在这期间已经发出，或正在发送：不能再发一次。"),
    "sent_copies": _(
        "经“%(relay)s”发出的工资条可能留在这个账号的“已发送”里，能打开它的人都看得到。%(where)s"
    ),
    "enclosures_rejected": _("员工文件的压缩包不能读取。请换一个，或选“不发这些文件”。"),
    "enclosures_unread": _("员工文件的压缩包还没有读完。"),
    "no_enclosure_any": _(
        "没有一个文件对得上任何一行，一封也发不出去。请换一列来匹配，或选“不发这些文件”。"
    ),
    "no_enclosure": _("有 %(total)s 行在压缩包里没有文件：这些不会发出，其余照常。"),
    "enclosures_left": _("压缩包里有 %(total)s 个文件找不到唯一的主人，不会发送。"),
    "enclosures_too_large": _("有 %(total)s 行的文件合起来超过 10 MB：这些不会发出，其余照常。"),
    "enclosures_in_clear": _("压缩包里有 %(total)s 个文件没有密码，谁收到邮件都能打开。"),
    "totals_pending": _("正在把各列相加，与合计行核对…"),
    "totals_differ": _("有 %(total)s 列的合计行与会发送的各行相加不一致：%(columns)s。"),
    "totals_equal": _("合计行与各行相加一致，核对了 %(number)s 列。"),
    "compare_pending": _("正在与上月比较…"),
    "compare_stale": _("工作簿换过了，与上月的比较已经过时。"),
    "compare_addresses": _("上月“%(name)s”的内容已经销毁，只比较了地址。"),
    "compare_missing": _("%(total)s 人上月有、这月没有（上月：“%(name)s”）。"),
    "compare_new": _("%(total)s 人这月有、上月没有（上月：“%(name)s”）。"),
    "compare_address": _("%(total)s 人的邮箱与上月不同。"),
    "compare_changed": _("%(total)s 人的金额比上月变动超过 %(share)s%%。"),
    "compare_not_positive": _("%(total)s 人的实发是零、负数或空白。"),
    "compare_same": _("%(total)s 人的每一项金额都和上月一样。"),
    "compare_quiet": _("与上月“%(name)s”相比，没有要注意的变化。"),
    "tracks_totals": _("会统计打开和 %(links)s 个链接的点击，只计总数，查不出是谁。"),
    "tracks_individuals": _("会记下每位收件人是否打开、点了 %(links)s 个链接中的哪些。"),
    "links_left_alone": _("有 %(links)s 个链接的文字本身就是网址，不改写，也不计点击。"),
    "domain_finding": _("域名检查：%(dns)s"),
}

HINTS: dict[str, Promise] = {
    "tracks_totals": _("可以告诉读者：“我们统计这封邮件的打开和点击总数，不记录是谁。”"),
    "tracks_individuals": _(
        "请确认收件人同意过。可以告诉读者：“我们会记录您是否打开这封邮件、点了哪些链接；您可以要求查看或删除。”"
    ),
    "links_left_alone": _("想统计的话，把文字换成一句话，例如“查看详情”。"),
    "totals_differ": _("合计行与要发的对不上：可能漏了人，或某一行改过。"),
    "match_changed": _("要用新地址，请重新上传工作簿。"),
    "sent_meanwhile": _("请到原来的活动里再上传一次改好的文件，它会只取还没有发成的行。"),
    "empty_field": _("在 Excel 里补上后重新上传，或在模板里写 default。"),
    "unreadable_cell": _("在 Excel 里打开并保存一次，再重新上传。"),
    "layout_missing": _("在排版里指明它现在叫什么，或去掉它。"),
    "layout_new": _("在排版里放进一组，或选择不显示。"),
    "no_password": _("在工作簿里补上后重新上传。"),
    "sent_before": _("要更正，请打开原来的活动，点“新建更正”；只差几个人，请在原活动里补发。"),
    "no_confirm_link": _(
        '在模板里写 <a href="{{ confirm_url }}">查看并确认</a>；默认的工资条模板已经写好。'
    ),
    "no_password_hint": _("在模板里写 {{ password_hint }}；默认的工资条模板已经写好。"),
    "public_url": _("请管理员设置 PUBLIC_URL；内网使用可由超级管理员允许。"),
}

# What a fix's page asks for: nobody is sent to a page that is closed to him.
FIX_RIGHTS: dict[str, set[str]] = {
    "relays": {Right.RELAYS},
    "keys": {Right.RELAYS},
    "domain": {Right.RELAYS},
    "lists": {Right.NEWSLETTERS},
}

PARTS = {"subject": _("主题"), "html": _("HTML 正文"), "text": _("纯文本正文")}


def shown(finding: Finding, campaign: Campaign, rights: frozenset[str]) -> dict[str, Any]:
    """For a page: severity, text, hint, url, places (as text), how many more."""
    keys = [place.key for place in finding.where if place.key]
    # What is decided by one click is listed in full.
    places = [place_text(place) for place in finding.where[: None if keys else NAMED]]
    return {
        "kind": finding.kind,
        "severity": SEVERITY.get(finding.severity, "notice"),
        "text": str(TEXTS[finding.kind]) % _params(finding),
        "hint": str(HINTS.get(finding.kind, "")),
        "places": places,
        "keys": list(dict.fromkeys(keys)),
        "subject": finding.subject,
        "more": max(0, finding.total - len(places)),
        "url": _url(finding, campaign, rights),
    }


def place_text(place: Place) -> str:
    """A cell or row with its address; of a bounce also when and why."""
    parts = []
    if place.cell:
        parts.append(place.cell)
    elif place.row is not None:
        parts.append(_now("第 %(row)s 行") % {"row": place.row})
    if place.address:
        parts.append(place.address)
    if place.at is not None:
        parts.append(formats.date_format(timezone.localtime(place.at), "Y-m-d"))
    if place.reason:
        labels = dict(SuppressionReason.choices)
        parts.append(str(labels.get(place.reason) or sentence(place.reason)))
    return " · ".join(parts)


def _params(finding: Finding) -> Mapping[str, Any]:
    made: dict[str, Any] = {"total": finding.total, **finding.params}
    for name, write in _WRITTEN.items():
        if name in made:
            made[name] = write(made[name])
    if "seconds" in made:
        made["duration"] = duration(made["seconds"])
    return made


def duration(seconds: int) -> str:
    """Rounded to what a person plans by."""
    span = timedelta(seconds=seconds)
    if span < timedelta(minutes=1):
        return _now("不到 1 分钟")
    minutes = round(seconds / 60)
    if minutes < 60:
        return ngettext("约 %(n)s 分钟", "约 %(n)s 分钟", minutes) % {"n": minutes}
    if span < timedelta(days=2):
        hours, rest = divmod(5 * round(seconds / 300), 60)
        whole = ngettext("约 %(n)s 小时", "约 %(n)s 小时", hours) % {"n": hours}
        return whole + (_now(" %(n)s 分") % {"n": rest} if rest else "")
    days = round(seconds / 86_400)
    return ngettext("约 %(n)s 天", "约 %(n)s 天", days) % {"n": days}


def moment(value: datetime) -> str:
    """With the weekday, and the date unless it is today: a person plans by these."""
    local = timezone.localtime(value)
    if local.date() == timezone.localdate():
        return formats.date_format(local, "H:i")
    return formats.date_format(local, "m-d l H:i")


def _decision(value: str) -> str:
    return str(Duplicates(value).label)


def _time(value: Any) -> str:
    return formats.date_format(timezone.localtime(value), "Y-m-d H:i")


_WRITTEN: dict[str, Callable[[Any], str]] = {
    "until": _time,
    "time": _time,
    "ends": moment,
    "deadline": moment,
    "reason": sentence,
    "part": lambda part: str(PARTS.get(part, part)),
    "decision": _decision,
    "attribute": lambda name: name or _now("姓名"),
    "dns": domain_texts.sentence,
}


def _url(finding: Finding, campaign: Campaign, rights: frozenset[str]) -> str:
    """Where it is put right; "" for a page that is closed to the reader or not there."""
    if not finding.fix or not FIX_RIGHTS.get(finding.fix, rights) & rights:
        return ""
    name = f"campaigns:{finding.fix}"
    try:
        if finding.fix in ("campaign_edit", "campaign_hours"):
            return reverse(name, args=[campaign.pk])
        if finding.fix == "layout":
            return f"{reverse(name, args=[finding.fix_id])}?workbook={campaign.workbook_id}"
        if finding.fix == "campaign_comparison":
            kind = finding.kind.removeprefix("compare_")
            return f"{reverse(name, args=[campaign.pk])}?state={kind}"
        return reverse(name, args=[finding.fix_id] if finding.fix_id else [])
    except NoReverseMatch:
        return ""

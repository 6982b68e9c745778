"""What the DNS doctor found, in the reader's language: a sentence for each code, saying what to do where it can.

The keys are mailer.domain.findings.Code; the parameters are those of a stored finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from campaigns.mailer.domain.findings import Code, Part

PARTS: Mapping[str, Promise | str] = {
    Part.DOMAIN: _("域名"),
    Part.SPF: "SPF",
    Part.DKIM: "DKIM",
    Part.DMARC: "DMARC",
    Part.MX: _("MX（收信）"),
    Part.PTR: _("PTR（反向解析）"),
}

_DOMAIN = {
    Code.DOMAIN_RESERVED: _("%(domain)s 是保留的示例或内网域名，公网上没有，不检查。"),
    Code.DOMAIN_MISSING: _("域名 %(domain)s 不存在。请核对发件地址，或先注册并解析这个域名。"),
    Code.DOMAIN_PROVIDERS: _("%(domain)s 的记录由邮箱服务商发布，您不用做什么。"),
    Code.DOMAIN_FOREIGN: _(
        "%(domain)s 是公共邮箱的域名，只能经它自己的服务器发信；经“%(relay)s”发出的会被当作伪造。请改用自己的域名。"
    ),
}
_SPF = {
    Code.SPF_MISSING: _("%(domain)s 没有 SPF 记录：收件方无法确认谁可以替它发信。"),
    Code.SPF_SEVERAL: _(
        "%(domain)s 有 %(count)s 条 SPF 记录，收件方会全部作废。请合并成下面这一条，删掉其余的。"
    ),
    Code.SPF_VERSION: _(
        "%(domain)s 有一条写错开头的 SPF 记录，等于没有：%(found)s。必须以“v=spf1”和空格开头。"
    ),
    Code.SPF_SYNTAX: _("%(domain)s 的 SPF 记录里“%(term)s”不合语法，收件方会作废整条记录。"),
    Code.SPF_PLUS_ALL: _("%(domain)s 的 SPF 以 +all 结尾：等于允许任何人冒充这个域名。"),
    Code.SPF_NO_ALL: _("%(domain)s 的 SPF 没有以 -all 或 ~all 结尾，拦不住冒充。"),
    Code.SPF_LOOKUPS: _(
        "%(domain)s 的 SPF 要查询 DNS %(count)s 次，超过 %(most)s 次，收件方会作废。请删掉不用的 include，或换成 ip4。"
    ),
    Code.SPF_VOIDS: _(
        "%(domain)s 的 SPF 里有 %(count)s 个名称查不到记录（最多 %(most)s 个），收件方会作废：%(names)s。请删掉它们。"
    ),
    Code.SPF_LOOP: _("%(domain)s 的 SPF 绕回了 %(where)s，收件方会作废。请删掉这个 include。"),
    Code.SPF_INCLUDE_MISSING: _(
        "%(domain)s 的 SPF 引用了 %(where)s，但那里没有 SPF 记录，收件方会作废。请删掉或改正。"
    ),
    Code.SPF_INCLUDE_BROKEN: _(
        "%(domain)s 的 SPF 引用了 %(where)s，那里的记录有错或不止一条，收件方会作废。请联系对方或删掉。"
    ),
    Code.SPF_MANY_MX: _(
        "%(domain)s 的 SPF 引用了 %(where)s 的 MX，它超过 %(most)s 台服务器，收件方会作废。"
    ),
    Code.SPF_PTR: _("%(domain)s 的 SPF 用了 ptr：很慢，也已不推荐，不少收件方不认。"),
    Code.SPF_AFTER_ALL: _("%(domain)s 的 SPF 里，all 后面的内容不起作用：%(terms)s。"),
    Code.SPF_REDIRECT_IGNORED: _(
        "%(domain)s 的 SPF 已有 all，redirect=%(redirect)s 不起作用。请删掉其中一个。"
    ),
    Code.SPF_RELAY_MISSING: _("%(domain)s 的 SPF 不包含“%(relay)s”的服务器。请加上 %(terms)s。"),
    Code.SPF_ADDRESS_MISSING: _(
        "%(domain)s 的 SPF 不包含服务器“%(relay)s”的地址。若它直接对外发信，请加上 %(terms)s。"
    ),
    Code.SPF_OUTBOUND_UNKNOWN: _(
        "%(host)s 没有公网地址，不知道“%(relay)s”的邮件从哪个地址发出，因此没有检查 SPF 是否包含它。"
    ),
}
_DKIM = {
    Code.DKIM_NO_KEY: _("%(domain)s 没有启用的 DKIM 密钥：邮件不会以它的名义签名。"),
    Code.DKIM_MISSING: _("%(name)s 没有记录：公钥还没有发布，签名验证不了。"),
    Code.DKIM_DOUBLED: _(
        "公钥发布到了 %(found)s：DNS 面板又补了一次域名。主机记录只填 %(name)s 里域名前面的部分。"
    ),
    Code.DKIM_SEVERAL: _("%(name)s 有 %(count)s 条记录，只能有一条。请只留下面这条。"),
    Code.DKIM_SPLIT: _(
        "%(name)s 的公钥被拆成了 %(count)s 条记录。它必须是一条记录（里面可以有几段字符串）。"
    ),
    Code.DKIM_QUOTED: _("%(name)s 的记录值里混进了引号或反斜杠：%(found)s"),
    Code.DKIM_SYNTAX: _("%(name)s 的记录不合语法，收件方不认：%(found)s"),
    Code.DKIM_REVOKED: _("%(name)s 的公钥是空的，表示已作废。请发布下面这条，或停用这把密钥。"),
    Code.DKIM_KEY_TYPE: _("%(name)s 发布的是 %(found)s 公钥，而签名用的是 %(wanted)s。"),
    Code.DKIM_DIFFERS: _("%(name)s 发布的公钥与签名用的密钥不是一对，签名验证会失败。"),
    Code.DKIM_HASH: _("%(name)s 的记录只允许 h=%(found)s，而签名用的是 sha256。"),
    Code.DKIM_SERVICE: _("%(name)s 的记录限定用途为 s=%(found)s，不包括邮件。"),
    Code.DKIM_SHORT: _(
        "%(name)s 的密钥只有 %(bits)s 位，太短。请生成一把 2048 位的，换用新的选择器。"
    ),
    Code.DKIM_TESTING: _("%(name)s 带有测试标志 t=y，收件方会当作没有签名。"),
}
_DMARC = {
    Code.DMARC_MISSING: _(
        "%(domain)s 没有 DMARC 记录。Gmail 等要求群发者有一条；可以先从只收报告的开始。"
    ),
    Code.DMARC_DOUBLED: _(
        "DMARC 记录发布到了 %(found)s：DNS 面板又补了一次域名。主机记录只填 _dmarc。"
    ),
    Code.DMARC_SEVERAL: _("%(name)s 有 %(count)s 条 DMARC 记录，收件方会全部忽略。请只留一条。"),
    Code.DMARC_SYNTAX: _("%(name)s 的 DMARC 记录有错，收件方可能忽略它：%(tag)s"),
    Code.DMARC_NONE: _(
        "%(name)s 的策略是 none：只收报告，不拦截冒充。确认自己的邮件都能通过后，可改为 quarantine 或 reject。"
    ),
    Code.DMARC_PARTIAL: _("%(name)s 的策略只用于 %(pct)s%% 的邮件。"),
    Code.DMARC_RUA_MISSING: _("%(name)s 没有写报告地址（rua），您看不到谁在冒用域名。"),
    Code.DMARC_RUA_UNAUTHORISED: _(
        "%(name)s 的报告寄往 %(host)s，但那个域名没有同意接收，报告不会寄出。请对方发布下面这条记录。"
    ),
    Code.DMARC_SPF_UNALIGNED: _(
        "经“%(relay)s”发出时，信封域名是 %(envelope)s，与发件域名 %(domain)s 不同：DMARC 只能靠 DKIM 通过。"
    ),
    Code.DMARC_DKIM_UNALIGNED: _(
        "没有以 %(domain)s 签名的 DKIM：DMARC 只能靠 SPF 通过，邮件一经转发就会失败。"
    ),
    Code.DMARC_FAILS: _(
        "从 %(domain)s 经“%(relay)s”发出的邮件，SPF 和 DKIM 都通不过：按它的 DMARC 策略（%(policy)s）会被拒收、进垃圾箱或失去信任。"
    ),
}
_MX = {
    Code.MX_MISSING: _("%(domain)s 没有 MX：收件人的回复送不到。请填写您的收信服务器。"),
    Code.MX_BOUNCE_MISSING: _(
        "退信域名 %(domain)s 没有 MX：退信收不到，有的收件方还会因此拒收。请填写您的收信服务器。"
    ),
    Code.MX_FALLBACK: _("%(domain)s 没有 MX，收信只能靠它的 A 记录。请写明收信服务器。"),
    Code.MX_NULL: _(
        "%(domain)s 声明不收任何邮件（MX 为“.”）：回复和退信都会丢失，有的收件方会拒收。"
    ),
    Code.MX_ALIAS: _("%(domain)s 的 MX %(host)s 是别名（CNAME），标准不允许。请改用它指向的名称。"),
    Code.MX_ADDRESS: _("%(domain)s 的 MX 写成了 IP 地址 %(host)s，必须是主机名。"),
    Code.MX_UNRESOLVED: _("%(domain)s 的 MX %(host)s 没有地址，邮件送不到。"),
    Code.MX_PRIVATE: _("%(domain)s 的 MX %(host)s 指向内网地址 %(address)s，外面送不到。"),
}
_PTR = {
    Code.PTR_MISSING: _(
        "服务器地址 %(address)s 没有反向解析（PTR），不少收件方会拒收。请让这个 IP 的提供商设置。"
    ),
    Code.PTR_UNCONFIRMED: _(
        "%(address)s 的反向解析是 %(found)s，但这个名称并不指回它。请让两边一致。"
    ),
    Code.PTR_OTHER_NAME: _(
        "%(address)s 的反向解析是 %(found)s，与服务器名 %(ehlo)s 不同。EHLO 里用的名称最好与它一致。"
    ),
    Code.PTR_EHLO_OTHER: _(
        "%(address)s 的反向解析是 %(found)s，不是我们在 EHLO 里报的 %(ehlo)s：不少收件方会扣分或拒收。请让两者一致。"
    ),
    Code.PTR_EHLO_UNRESOLVED: _(
        "EHLO 主机名 %(ehlo)s 没有地址（A 或 AAAA），不少收件方会拒收。请发布它的地址。"
    ),
    Code.PTR_EHLO_ELSEWHERE: _(
        "EHLO 主机名 %(ehlo)s 指向 %(found)s，而邮件从 %(address)s 发出。请让主机名指向这个 IP。"
    ),
}
_UNANSWERED = _("没能检查 %(name)s（%(type)s）：%(reason)s这不表示记录有问题。")
_REASONS: Mapping[str, Promise] = {
    "timeout": _("域名服务器没有及时回答。"),
    "servers": _("域名服务器出错或连不上。"),
    "deadline": _("查询用时太长，已停止。"),
    "many": _("查询次数太多，已停止。"),
}

TEXTS: Mapping[str, Promise] = {
    **_DOMAIN,
    **_SPF,
    **_DKIM,
    **_DMARC,
    **_MX,
    **_PTR,
    **{code: _UNANSWERED for code in Code if code.endswith("_unchecked")},
}


def sentence(finding: Mapping[str, Any]) -> str:
    """A stored finding in the active language; one of a code that is no longer known is named by it."""
    text = TEXTS.get(finding["code"])
    if text is None:
        return _now("原因不明（%(code)s）。") % {"code": finding["code"]}
    params = dict(finding["params"])
    if "reason" in params:
        params["reason"] = str(_REASONS.get(params["reason"], ""))
    try:
        return str(text) % params
    except KeyError:  # stored by another version, with other parameters
        return _now("原因不明（%(code)s）。") % {"code": finding["code"]}


def part_label(part: str) -> str:
    return str(PARTS.get(part, part))

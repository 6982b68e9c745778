"""Why something did not go: a sentence in the reader's language for every code that is stored.

Codes are those of relays (`mailer.reply_reasons.Reason`), maildrops (`mailer.pop3_errors.Problem`),
our own stages (Delivery.reason, Probe steps) and bounces (sisimai's words, Feedback.reason). Each
sentence says what is wrong and, where somebody can do something, what.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

# What a recipient's server says of an address or a message; relays and bounces share the words.
_RECIPIENT: dict[str, Promise] = {
    "accepted": _("服务器已接收。"),
    "userunknown": _("收件地址不存在。请核对地址。"),
    "hostunknown": _("收件域名不存在。请核对 @ 后面的部分。"),
    "hasmoved": _("收件人已更换地址。"),
    "notaccept": _("该域名不接收邮件。"),
    "mailboxfull": _("收件人的邮箱已满。"),
    "suspend": _("收件人的邮箱已停用。"),
    "syntaxerror": _("服务器认为收件地址的格式不对。请核对地址。"),
    "greylisted": _("对方服务器要求稍后再投（灰名单），会自动再试。"),
    "temporary": _("服务器暂时无法处理，会自动再试。"),
    "refused": _("服务器拒收了这封邮件。"),
    "spamdetected": _("邮件内容被判为垃圾邮件。请修改内容后再发，继续发送会损害账号信誉。"),
    "mesgtoobig": _("邮件超过服务器允许的大小。"),
    "ratelimited": _("发送过于频繁，服务器要求放慢；会自动等待后继续。"),
    "blocked": _("本机的 IP 地址被服务器限制。请联系服务商或改用其他发信账号。"),
}

_RELAY: dict[str, Promise] = {
    "needs_smtputf8": _("收件地址含非英文字符，这个服务器不支持（SMTPUTF8）。"),
    "needs_8bitmime": _("邮件含 8 位内容，这个服务器不支持（8BITMIME）。"),
    "malformed": _("邮件或地址的格式有误，没有发送。"),
    "day_limit": _("发信账号已达当日上限，会在额度恢复后继续。"),
    "connection_limit": _("连接数或单次连接的邮件数达到上限，会重新连接。可减少“最大连接数”。"),
    "auth_refused": _(
        "登录被拒绝。请检查用户名和授权码：163、QQ、企业邮箱等要填在邮箱设置里生成的授权码（客户端专用密码），不是网页登录密码。"
    ),
    "auth_locked": _("登录失败次数过多，服务器暂时拒绝登录。请等十几分钟再试。"),
    "auth_unavailable": _(
        "服务器没有提供可用的登录方式（PLAIN 或 LOGIN）。请检查端口和加密方式；若不需要登录，请把用户名留空。"
    ),
    "sender_refused": _(
        "服务器不允许这个账号使用此发件地址。请把“可用的发件地址”改成登录账号本身或已授权的别名。"
    ),
    "relaying_denied": _(
        "服务器不允许这个账号向外发信。请填写用户名和授权码，或请对方管理员放行本机。"
    ),
    "account_blocked": _("发信账号被服务商停用或限制。请登录网页邮箱查看并联系服务商。"),
    "relay_busy": _("发信服务器繁忙，会自动再试。"),
    "relay_refused": _("发信服务器拒绝了这次会话。请检查主机、端口，以及服务商是否限制本机的 IP。"),
    "closing": _("服务器要求断开，会自动重新连接。"),
    "dns_unanswered": _("查不到收件域名的邮件服务器：DNS 没有回答。会自动再试。"),
    "loops_to_us": _("收件域名的邮件服务器就是本机自己，邮件会原地打转，没有投递。"),
    "target_forbidden": _("收件域名的邮件服务器指向内网或本机地址，没有投递。"),
    "token_refused": _(
        "授权已失效：授权服务器不再发放令牌。请打开这个账号的“OAuth 登录”，重新授权。"
    ),
    "token_unreachable": _("暂时联系不上授权服务器，会自动再试。"),
}

# The connection itself: the same words for relays and maildrops.
_CONNECTION: dict[str, Promise] = {
    "unresolved": _("找不到服务器。请检查主机名有没有写错。"),
    "address_forbidden": _("服务器在内网或本机，尚未获准。请系统管理员勾选“允许内网地址”。"),
    "unreachable": _("连接不上服务器。请检查主机、端口和防火墙（云服务器常常封锁 25 端口）。"),
    "timed_out": _("服务器没有在规定时间内回应。请检查端口与加密方式是否匹配，或稍后再试。"),
    "lost": _("与服务器的连接中断。多为端口与加密方式不匹配，或网络不稳定。"),
    "protocol": _("服务器的回复不符合协议。请检查端口是否正确。"),
    "flooded": _("服务器的回复过长，已断开。请检查主机和端口。"),
    "tls_missing": _(
        "服务器没有提供 STARTTLS 加密，因此没有发送密码。请改用 TLS 端口（发信 465，收信 995）。"
    ),
    "tls_injection": _("加密开始前收到多余数据，可能有人篡改连接，已断开。请换一个网络再试。"),
    "tls_failed": _(
        "加密连接没有建立起来。请检查端口与加密方式是否匹配：465、995 用 TLS，587、110 用 STARTTLS。"
    ),
    "certificate_host": _(
        "服务器的证书属于另一个主机名。请填写证书上的主机名（例如 smtp.163.com，而不是 IP 地址或自己的域名）。"
    ),
    "certificate_expired": _("服务器的证书已过期。请服务器管理员更新证书。"),
    "certificate_untrusted": _(
        "服务器的证书不受信任（自签名或公司 CA）。请把公司的 CA 证书粘贴到“公司 CA 证书”里。"
    ),
    "ca_unreadable": _("所填的 CA 证书无法读取。请粘贴以 BEGIN CERTIFICATE 开头的 PEM 文本。"),
    "plain_text_forbidden": _("只有本机上的服务器才允许不加密连接。请选择 TLS 或 STARTTLS。"),
}

# Where a maildrop's word means something else than a relay's.
_MAILDROP: dict[str, Promise] = {
    "auth_refused": _("登录被拒绝。请检查用户名和密码。"),
    "auth_code_needed": _(
        "登录被拒绝：这里要填授权码（客户端专用密码），不是网页登录密码。请在邮箱的设置里生成。"
    ),
    "auth_locked": _("登录过于频繁，服务器暂时拒绝登录。请稍后再试。"),
    "pop3_off": _("此邮箱没有开启 POP3 服务。请在网页邮箱的设置里开启。"),
    "in_use": _("邮箱正被另一个程序占用，会自动再试。"),
    "temporary": _("收信服务器暂时无法处理，会自动再试。"),
    "uidl_missing": _("服务器不支持 UIDL，无法可靠地辨认邮件，不能用作退信邮箱。"),
    "too_big": _("邮件超过允许的大小，没有下载。"),
    "refused": _("收信服务器拒绝了这个操作。"),
    "imap_off": _("此邮箱没有开启 IMAP 服务。请在网页邮箱的设置里开启。"),
    "login_unsafe": _(
        "服务商认为这次登录不安全（Unsafe Login），不让打开文件夹。请登录网页邮箱确认，或改用 POP3。"
    ),
    "folder_missing": _("所填的文件夹在服务器上不存在。请核对名称。"),
    "vanished": _("邮件在读取之前被移走或删除了。"),
}

# Our own stages: what became of a delivery, and why a probe could not go on.
_OURS: dict[str, Promise] = {
    "worker_lost": _("发送程序中断，没等到服务器的答复：可能已收下，也可能没有。"),
    "relay_disabled": _("发信账号已停用。"),
    "relay_trial": _("原来的账号恢复了，先试几封。"),
    "relay_back": _("原来的账号恢复了，还没发的按份额分回去。"),
    "restored_copy": _("备份时还没发出；数据库恢复后不再发送。"),
    "deliver_until": _("超过了最晚发送时间，没有发出。"),
    "suppression": _("地址在屏蔽名单里。"),
    "unsubscribed": _("收件人已退订这个名单。"),
    "cancelled": _("活动取消时还没有发出。"),
    "no_template": _("活动没有模板。请选择模板。"),
    "layout_column": _("工作簿里没有排版要显示的一列。请在排版里改名或去掉它。"),
    "no_relay": _("没有选择发信账号。"),
    "internal": _("收取时程序出错，会自动再试。请系统管理员查看日志。"),
    "template": _("模板有错误。请在模板页改正。"),
    "content_destroyed": _("内容已按保留期限销毁，不能再生成。"),
    "unreadable_cell": _("这一行有读不出来的单元格。请在 Excel 里改正后重新上传。"),
    "contact_gone": _("联系人已被删除。"),
    "compose": _("邮件没能生成。请预览这一行，并检查模板。"),
    "render_missing": _("这一行缺少模板里用到的字段。"),
    "render_value": _("这一行有一个值太长，或含有不能发送的字符。"),
    "render_too_large": _("这一行的内容太多，邮件会过大。"),
    "render_blank_subject": _("主题展开后是空的。"),
    "render_template": _("模板无法展开。请检查模板。"),
    "message_control": _("主题、姓名或地址里有换行或控制字符。"),
    "message_long": _("主题或地址过长。"),
    "message_name": _("邮件头的名称不合规。"),
    "message_reserved": _("邮件头里有保留的字段。"),
    "message_message_id": _("邮件编号不合规。"),
    "message_date": _("邮件日期不合规。"),
    "message_bracket": _("收件人的地址里有不成对的尖括号。"),
    "quota_full": _("发信账号的额度此刻已用完，没有发送测试邮件。请稍后再试。"),
    "interrupted": _("测试被中断。请再测一次。"),
    "settings": _("设置里有不能使用的内容（例如换行符）。请重新填写。"),
    "secret_unreadable": _(
        "保存的密码无法解密：服务器缺少当时的加密密钥（HONGYAN_ENCRYPTION_KEYS）。请重新填写密码。"
    ),
    "key_unusable": _("此域名的 DKIM 密钥不能使用。请重新生成。"),
    "no_password_column": _("工作簿里没有密码所在的列。请在活动的设置里改正。"),
    "no_password": _("密码所在的单元格是空的，附件无法加密，所以没有发送。请在工作簿里补上。"),
    "password_short": _("密码所在的单元格太短，附件无法加密，所以没有发送。请核对这一格。"),
    "password_characters": _(
        "密码里有字母和数字以外的字符，附件无法加密，所以没有发送。请核对这一格。"
    ),
    "attachment_too_large": _("附件太大，没有发送。"),
    "no_enclosure": _("压缩包里没有这一行的文件，所以没有发送。请补上文件。"),
    "enclosures_unread": _("压缩包里的文件还没有读完，所以没有发送。"),
    "message_attachment": _("附件的名称不能使用。请改活动的名称。"),
    "document_lines": _("这一行的列太多，做不成附件。"),
    "document_length": _("这一行有一格的文字太长，做不成附件。"),
    "document_password": _("附件没有密码，没有发送。"),
    "document_program": _("附件没能生成。请预览这一行；若仍不行，请改用另一种附件。"),
    "no_from_address": _("没有可用的发件地址。请先填写。"),
}

# Bounces, beside _RECIPIENT.
_BOUNCE: dict[str, Promise] = {
    "authfailure": _("发件域名没有通过 SPF、DKIM 或 DMARC 验证。请检查 DNS 记录。"),
    "badreputation": _("发信 IP 的信誉太低，被拒收。"),
    "contenterror": _("邮件的内容或格式被拒收。"),
    "expired": _("对方服务器一直收不下，已放弃投递。"),
    "filtered": _("被收件人的规则拦截。"),
    "mailererror": _("收件人的邮件程序出错。"),
    "networkerror": _("连接不上对方的服务器。"),
    "norelaying": _("对方服务器不负责这个地址。"),
    "notcompliantrfc": _("邮件不符合规范，被拒收。"),
    "onhold": _("没能判断退信的原因。"),
    "policyviolation": _("违反对方服务器的规定，被拒收。"),
    "rejected": _("发件地址被拒收。"),
    "requireptr": _("发信 IP 没有反向解析（PTR），被拒收。"),
    "securityerror": _("因安全原因被拒收。"),
    "systemerror": _("对方服务器出错。"),
    "systemfull": _("对方服务器的存储空间已满。"),
    "undefined": _("没能判断退信的原因。"),
    "virusdetected": _("邮件被判为含有病毒。"),
}

SENTENCES: dict[str, Promise] = {**_BOUNCE, **_RELAY, **_RECIPIENT, **_CONNECTION, **_OURS}
MAILDROP_SENTENCES: dict[str, Promise] = {**_CONNECTION, **_OURS, **_MAILDROP}


def sentence(code: str, *, maildrop: bool = False) -> str:
    """What `code` means, in the active language; an unknown code is named, an empty one is ""."""
    if not code:
        return ""
    found = (MAILDROP_SENTENCES if maildrop else SENTENCES).get(code)
    if found is None:
        return _now("原因不明（%(code)s）。") % {"code": code}
    return str(found)

"""Why a relay did not take a message: one word a cause, and a Chinese sentence for each.

The words are stored (Attempt, Relay); the Django side translates by a `Reason -> gettext` table of
its own and falls back on `sentence_zh`.
"""

from enum import StrEnum


class Reason(StrEnum):
    """The cause of a `Verdict` or a failure of the connection."""

    ACCEPTED = "accepted"

    # The recipient's address or mailbox (replies to RCPT and to the content).
    USER_UNKNOWN = "userunknown"
    HOST_UNKNOWN = "hostunknown"
    MOVED = "hasmoved"
    TAKES_NO_MAIL = "notaccept"
    MAILBOX_FULL = "mailboxfull"
    MAILBOX_DISABLED = "suspend"
    BAD_ADDRESS = "syntaxerror"
    GREYLISTED = "greylisted"
    TEMPORARY = "temporary"
    REFUSED = "refused"

    # The message.
    SPAM = "spamdetected"
    TOO_BIG = "mesgtoobig"
    NEEDS_SMTPUTF8 = "needs_smtputf8"
    NEEDS_8BITMIME = "needs_8bitmime"
    MALFORMED = "malformed"

    # The relay and our account on it.
    RATE_LIMITED = "ratelimited"
    DAY_LIMIT = "day_limit"
    CONNECTION_LIMIT = "connection_limit"
    AUTH_REFUSED = "auth_refused"
    AUTH_LOCKED = "auth_locked"
    AUTH_UNAVAILABLE = "auth_unavailable"
    SENDER_REFUSED = "sender_refused"
    RELAYING_DENIED = "relaying_denied"
    ACCOUNT_BLOCKED = "account_blocked"
    ADDRESS_BLOCKED = "blocked"
    RELAY_BUSY = "relay_busy"
    RELAY_REFUSED = "relay_refused"
    CLOSING = "closing"

    # The connection.
    UNRESOLVED = "unresolved"
    ADDRESS_FORBIDDEN = "address_forbidden"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    PROTOCOL = "protocol"
    FLOODED = "flooded"
    TLS_MISSING = "tls_missing"
    TLS_INJECTION = "tls_injection"
    TLS_FAILED = "tls_failed"
    CERTIFICATE_HOST = "certificate_host"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CA_UNREADABLE = "ca_unreadable"
    PLAIN_TEXT_FORBIDDEN = "plain_text_forbidden"

    # The way to a recipient's own server (campaigns/mailer/mx.py).
    DNS_UNANSWERED = "dns_unanswered"
    LOOPS_TO_US = "loops_to_us"
    TARGET_FORBIDDEN = "target_forbidden"

    # The token that logs in instead of a password (campaigns/mailer/oauth.py).
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a word, no token
    TOKEN_UNREACHABLE = "token_unreachable"  # noqa: S105


#: Causes that waiting does not cure: the caller stops the relay or the campaign and tells a person.
NEEDS_PERSON = frozenset(
    {
        Reason.SPAM,
        Reason.AUTH_REFUSED,
        Reason.AUTH_UNAVAILABLE,
        Reason.SENDER_REFUSED,
        Reason.RELAYING_DENIED,
        Reason.ACCOUNT_BLOCKED,
        Reason.ADDRESS_FORBIDDEN,
        Reason.TLS_MISSING,
        Reason.TLS_INJECTION,
        Reason.CERTIFICATE_HOST,
        Reason.CERTIFICATE_EXPIRED,
        Reason.CERTIFICATE_UNTRUSTED,
        Reason.CA_UNREADABLE,
        Reason.PLAIN_TEXT_FORBIDDEN,
        Reason.TOKEN_REFUSED,
    }
)

_SENTENCES_ZH: dict[Reason, str] = {
    Reason.ACCEPTED: "服务器已接收",
    Reason.USER_UNKNOWN: "收件地址不存在",
    Reason.HOST_UNKNOWN: "收件域名不存在",
    Reason.MOVED: "收件人已更换地址",
    Reason.TAKES_NO_MAIL: "该域名不接收邮件",
    Reason.MAILBOX_FULL: "收件人邮箱已满",
    Reason.MAILBOX_DISABLED: "收件人邮箱已停用",
    Reason.BAD_ADDRESS: "服务器认为收件地址格式不对",
    Reason.GREYLISTED: "对方服务器要求稍后再投（灰名单）",
    Reason.TEMPORARY: "服务器暂时无法处理，稍后自动重试",
    Reason.REFUSED: "服务器拒绝了这封邮件",
    Reason.SPAM: "邮件内容被判为垃圾邮件，请检查内容后再发",
    Reason.TOO_BIG: "邮件超过服务器允许的大小",
    Reason.NEEDS_SMTPUTF8: "收件地址含非英文字符，此服务器不支持（SMTPUTF8）",
    Reason.NEEDS_8BITMIME: "邮件含 8 位内容，此服务器不支持（8BITMIME）",
    Reason.MALFORMED: "邮件或地址格式有误，未发送",
    Reason.RATE_LIMITED: "发送过于频繁，此发信账号暂停一段时间后继续",
    Reason.DAY_LIMIT: "此发信账号已达当日上限，稍后继续",
    Reason.CONNECTION_LIMIT: "单次连接或并发连接数达到上限，稍后重新连接",
    Reason.AUTH_REFUSED: "登录被拒绝：请检查用户名和密码（163、QQ 等需要填写授权码，而不是登录密码）",
    Reason.AUTH_LOCKED: "登录失败次数过多，服务器暂时拒绝登录",
    Reason.AUTH_UNAVAILABLE: "服务器不提供可用的登录方式（PLAIN、LOGIN 或 XOAUTH2）",
    Reason.SENDER_REFUSED: "服务器不允许此账号使用这个发件地址",
    Reason.RELAYING_DENIED: "服务器不允许此账号向外部转发邮件",
    Reason.ACCOUNT_BLOCKED: "此发信账号被服务商停用或限制，请联系服务商",
    Reason.ADDRESS_BLOCKED: "本机 IP 被服务器限制",
    Reason.RELAY_BUSY: "服务器繁忙，稍后重试",
    Reason.RELAY_REFUSED: "服务器拒绝了本次会话",
    Reason.CLOSING: "服务器要求断开连接，稍后重新连接",
    Reason.UNRESOLVED: "找不到服务器地址，请检查主机名",
    Reason.ADDRESS_FORBIDDEN: "服务器地址属于内网或本机，未获管理员允许",
    Reason.UNREACHABLE: "连接不上服务器，请检查主机、端口和防火墙",
    Reason.TIMED_OUT: "服务器在规定时间内没有回应",
    Reason.LOST: "与服务器的连接中断",
    Reason.PROTOCOL: "服务器的回复不符合 SMTP 协议",
    Reason.FLOODED: "服务器的回复过长，已断开",
    Reason.TLS_MISSING: "服务器没有提供 STARTTLS 加密，未发送任何内容",
    Reason.TLS_INJECTION: "加密开始前收到多余数据，可能有人篡改连接，已断开",
    Reason.TLS_FAILED: "加密连接建立失败",
    Reason.CERTIFICATE_HOST: "服务器证书与主机名不符",
    Reason.CERTIFICATE_EXPIRED: "服务器证书已过期",
    Reason.CERTIFICATE_UNTRUSTED: "服务器证书不受信任（自签名或未知的颁发机构）",
    Reason.CA_UNREADABLE: "所填的 CA 证书无法读取",
    Reason.PLAIN_TEXT_FORBIDDEN: "只有本机服务器才允许不加密连接",
    Reason.DNS_UNANSWERED: "查不到收件域名的邮件服务器（DNS 没有回答），稍后自动再试",
    Reason.LOOPS_TO_US: "收件域名的邮件服务器就是本机自己，邮件会原地打转",
    Reason.TARGET_FORBIDDEN: "收件域名的邮件服务器指向内网或本机地址，没有投递",
    Reason.TOKEN_REFUSED: "授权已失效：授权服务器不再发放令牌，请重新授权",
    Reason.TOKEN_UNREACHABLE: "暂时联系不上授权服务器，稍后自动再试",
}


def sentence_zh(reason: Reason) -> str:
    """The Chinese sentence for a cause; total over `Reason`."""
    return _SENTENCES_ZH[reason]

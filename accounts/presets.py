"""Presets: what is known of each provider, as data that fills a new relay's or mailbox's form.

Hosts and ports are the providers' published ones. The limits are cautious starting points and no
facts: most providers keep theirs secret and move them with an account's reputation, so everybody may
edit them, and a relay's own replies count more than any number here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models.oauth_login import OAuthProvider
from accounts.models.relay import LimitWindow, RelayKind, TlsMode

SECOND, MINUTE, QUARTER = LimitWindow.SECOND, LimitWindow.MINUTE, LimitWindow.QUARTER_HOUR
HOUR, DAY = LimitWindow.HOUR, LimitWindow.DAY

_CODE = _("填授权码，不是登录密码。")
_LOGIN_ADDRESS = _("完整的邮箱地址。")
_COPIES_NETEASE = _("在网页邮箱的设置里关闭“SMTP 发信后保存到已发送”。")
_LOOK = _("先发一封测试，再到网页邮箱的“已发送”里看有没有保存。")
_ORDINARY_INBOX = _("退信会回到登录邮箱本身，请把它设为退信邮箱。")


@dataclass(frozen=True)
class Maildrop:
    """The receiving side of a provider: its POP3 host and port, and its IMAP host."""

    host: str
    port: int = 995
    tls_mode: str = TlsMode.IMPLICIT
    imap_host: str = ""
    imap_port: int = 993


@dataclass(frozen=True)
class Preset:
    """`limits`: messages per window. `domain_quota`: all members of a domain share one quota.

    `internal`: the server is expected on a private network, which a superuser has to allow. `oauth`: the provider
    whose tokens log in, instead of a password.
    """

    code: str
    label: str | Promise
    kind: str = RelayKind.ACCOUNT
    host: str = ""
    port: int = 465
    tls_mode: str = TlsMode.IMPLICIT
    limits: Mapping[str, int] = field(default_factory=dict)
    per_connection: int | None = None
    max_connections: int = 1
    own_return_path: bool = False
    domain_quota: bool = False
    internal: bool = False
    username_hint: str | Promise = _LOGIN_ADDRESS
    secret_hint: str | Promise = ""
    notes: tuple[str | Promise, ...] = ()
    maildrop: Maildrop | None = None
    # Whether what is submitted may stay in the account's Sent folder, and where that is switched off.
    keeps_copies: bool = True
    copies_note: str | Promise = ""
    oauth: str = ""
    deliver_hours: int = 24

    @property
    def is_direct(self) -> bool:
        return self.kind == RelayKind.DIRECT


_ALL = (
    Preset(
        "163",
        _("网易 163 邮箱"),
        host="smtp.163.com",
        limits={MINUTE: 8, QUARTER: 60, HOUR: 150, DAY: 300},
        per_connection=10,
        secret_hint=_CODE,
        notes=(
            _("在网页邮箱“设置 → POP3/SMTP/IMAP”里开启服务，并生成授权码。"),
            _("发件地址只能是登录邮箱本身。"),
            _ORDINARY_INBOX,
        ),
        maildrop=Maildrop("pop.163.com", imap_host="imap.163.com"),
        copies_note=_COPIES_NETEASE,
    ),
    Preset(
        "126",
        _("网易 126 邮箱"),
        host="smtp.126.com",
        limits={MINUTE: 8, QUARTER: 60, HOUR: 150, DAY: 300},
        per_connection=10,
        secret_hint=_CODE,
        notes=(
            _("在网页邮箱“设置 → POP3/SMTP/IMAP”里开启服务，并生成授权码。"),
            _("发件地址只能是登录邮箱本身。"),
            _ORDINARY_INBOX,
        ),
        maildrop=Maildrop("pop.126.com", imap_host="imap.126.com"),
        copies_note=_COPIES_NETEASE,
    ),
    Preset(
        "qq",
        _("QQ 邮箱"),
        host="smtp.qq.com",
        limits={MINUTE: 8, HOUR: 60, DAY: 100},
        per_connection=10,
        secret_hint=_CODE,
        notes=(
            _("在网页邮箱“设置 → 账号”里开启 POP3/SMTP 服务，并生成授权码。"),
            _("发件地址只能是登录邮箱本身。"),
            _ORDINARY_INBOX,
        ),
        maildrop=Maildrop("pop.qq.com", imap_host="imap.qq.com"),
        copies_note=_("在网页邮箱“设置 → 账号”里取消“SMTP 发信后保存到服务器”。"),
    ),
    Preset(
        "exmail",
        _("腾讯企业邮箱"),
        host="smtp.exmail.qq.com",
        limits={MINUTE: 20, HOUR: 300, DAY: 1000},
        per_connection=50,
        max_connections=2,
        domain_quota=True,
        secret_hint=_("开启了“安全登录”时，填客户端专用密码，不是登录密码。"),
        notes=(
            _("额度由整个域名的所有成员共用，且只计发给外部陌生人的邮件。"),
            _("管理员须允许成员使用 IMAP/SMTP。海外机器可改用 hwsmtp.exmail.qq.com。"),
        ),
        maildrop=Maildrop("pop.exmail.qq.com", imap_host="imap.exmail.qq.com"),
        copies_note=_("在网页邮箱“设置 → 客户端设置”里取消“SMTP 发信后保存到服务器”。"),
    ),
    Preset(
        "aliyun",
        _("阿里企业邮箱"),
        host="smtp.qiye.aliyun.com",
        limits={MINUTE: 20, HOUR: 150, DAY: 200},
        per_connection=20,
        secret_hint=_("填三方客户端安全密码，不是登录密码。"),
        notes=(
            _("达到每日上限后要等 24 小时。"),
            _("阿里云服务器封锁 25 端口，请用 465。"),
        ),
        maildrop=Maildrop("pop.qiye.aliyun.com", imap_host="imap.qiye.aliyun.com"),
        copies_note=_LOOK,
    ),
    Preset(
        "gmail",
        _("Gmail / Google Workspace"),
        host="smtp.gmail.com",
        limits={MINUTE: 20, HOUR: 200, DAY: 500},
        per_connection=50,
        secret_hint=_("填应用专用密码（需先开启两步验证），不是登录密码。"),
        notes=(
            _("个人账号每天约 500 封；Workspace 每滚动 24 小时 2000 封，可自行调高。"),
            _("每天向 Gmail 发 5000 封以上时，必须有 SPF、DKIM、DMARC 和一键退订。"),
        ),
        maildrop=Maildrop("pop.gmail.com", imap_host="imap.gmail.com"),
        copies_note=_("Gmail 总会保存，不能关闭：请只让该看的人打开这个邮箱。"),
        oauth=OAuthProvider.GOOGLE,
    ),
    Preset(
        "office365",
        _("Office 365 / Outlook"),
        host="smtp.office365.com",
        port=587,
        tls_mode=TlsMode.STARTTLS,
        limits={MINUTE: 25, HOUR: 1000, DAY: 5000},
        max_connections=2,
        secret_hint=_("管理员须为此邮箱允许“经过身份验证的 SMTP”。"),
        notes=(
            _("微软规定每分钟 30 封、每天 10000 位收件人。"),
            _(
                "微软从 2026 年底起默认关闭用密码登录的 SMTP：请在“OAuth 登录”里授权，再在这里选用。"
            ),
        ),
        maildrop=Maildrop("outlook.office365.com", imap_host="outlook.office365.com"),
        copies_note=_LOOK,
        oauth=OAuthProvider.MICROSOFT,
    ),
    Preset(
        "ses",
        _("Amazon SES"),
        host="email-smtp.us-east-1.amazonaws.com",
        port=587,
        tls_mode=TlsMode.STARTTLS,
        limits={SECOND: 1, DAY: 200},
        max_connections=2,
        username_hint=_("SES 控制台生成的 SMTP 用户名，不是邮箱地址。"),
        secret_hint=_("SES 控制台生成的 SMTP 密码，不是 AWS 的密钥。"),
        keeps_copies=False,
        notes=(
            _("把服务器里的 us-east-1 换成您的区域。"),
            _("这里是沙盒账号的额度；请按控制台显示的发送速率和 24 小时额度改。"),
        ),
    ),
    Preset(
        "own",
        _("自有服务器（Postfix、Exchange 等）"),
        port=587,
        tls_mode=TlsMode.STARTTLS,
        limits={SECOND: 10},
        max_connections=4,
        per_connection=100,
        own_return_path=True,
        keeps_copies=False,
        internal=True,
        username_hint=_("服务器按 IP 放行、不需要登录时留空。"),
        notes=(
            _("内网地址须由系统管理员勾选“允许内网地址”。"),
            _("公司自己的 CA 签发的证书，请把 CA 证书粘贴进来；证书检查不能关闭。"),
        ),
    ),
    Preset(
        "direct",
        _("直接投递（自有 IP）"),
        kind=RelayKind.DIRECT,
        port=25,
        tls_mode=TlsMode.OPPORTUNISTIC,
        # A new address has no name yet: receivers refuse much that comes at once.
        limits={MINUTE: 30, HOUR: 200, DAY: 1000},
        max_connections=10,
        per_connection=50,
        own_return_path=True,
        keeps_copies=False,
        deliver_hours=120,
        notes=(
            _(
                "不经任何服务商，直接送到收件人的邮件服务器。需要固定的公网 IP，而且能连出 25 端口；云服务器大多默认封锁，要向服务商申请开通。"
            ),
            _(
                "IP 要有反向解析（PTR），指向下面的 EHLO 主机名，主机名再指回这个 IP。发件域名的 SPF 要包含这个 IP，并用 DKIM 签名。保存后请看“域名检查”。"
            ),
            _(
                "新 IP 没有信誉：先小量发送，几周内逐步加量（预热）。被退回或投诉多的名单不要用它发。"
            ),
        ),
    ),
)

# Nobody but their provider can publish a key for these, and it signs for them itself.
FREE_MAIL_DOMAINS = frozenset(
    [
        "163.com",
        "126.com",
        "yeah.net",
        "188.com",
        "qq.com",
        "vip.qq.com",
        "foxmail.com",
        "sina.com",
        "sina.cn",
        "sohu.com",
        "139.com",
        "189.cn",
        "aliyun.com",
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "icloud.com",
        "yahoo.com",
    ]
)

PRESETS: dict[str, Preset] = {preset.code: preset for preset in _ALL}


def preset_of(code: str) -> Preset | None:
    """The preset of that code; None for a code that isn't (or is no longer) one."""
    return PRESETS.get(code)


def quota_group(preset: str, host: str, username: str) -> str:
    """The account whose quota a relay shares: host and login, or the whole domain where the provider
    counts by it. Two relays of one group are counted together."""
    host, username = host.strip().lower(), username.strip().lower()
    known = PRESETS.get(preset)
    domain = username.rpartition("@")[2]
    if known is not None and known.domain_quota and "@" in username:
        return f"{known.code}/{domain}"
    return f"{host}/{username}"

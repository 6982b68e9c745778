"""What is known of the big mailbox providers: which domains are one, as data that fills a limit's form.

The numbers are cautious starting points and no facts: no provider publishes what it takes from one
sender, and all of them move it with the sender's reputation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_CAREFUL = {"minute": 30, "hour": 600, "connections": 2}
_USUAL = {"minute": 60, "hour": 2000, "connections": 4}


@dataclass(frozen=True)
class DomainPreset:
    """`amounts`: fields of DomainLimit."""

    code: str
    label: str | Promise
    domains: tuple[str, ...]
    amounts: Mapping[str, int] = field(default_factory=lambda: _CAREFUL)


_ALL = (
    DomainPreset("qq", _("QQ 邮箱"), ("qq.com", "foxmail.com", "vip.qq.com")),
    DomainPreset(
        "netease",
        _("网易邮箱"),
        ("163.com", "126.com", "yeah.net", "188.com", "vip.163.com", "vip.126.com"),
    ),
    DomainPreset("sina", _("新浪邮箱"), ("sina.com", "sina.cn", "vip.sina.com")),
    DomainPreset("sohu", _("搜狐邮箱"), ("sohu.com", "vip.sohu.com")),
    DomainPreset("aliyun", _("阿里云个人邮箱"), ("aliyun.com",)),
    DomainPreset("carriers", _("139、189 和沃邮箱"), ("139.com", "189.cn", "wo.cn")),
    DomainPreset("gmail", "Gmail", ("gmail.com", "googlemail.com"), _USUAL),
    DomainPreset(
        "microsoft",
        "Outlook · Hotmail",
        ("outlook.com", "hotmail.com", "live.com", "live.cn", "msn.com"),
        _USUAL,
    ),
    DomainPreset(
        "yahoo", "Yahoo", ("yahoo.com", "yahoo.co.jp", "ymail.com", "*.yahoo.com"), _USUAL
    ),
    DomainPreset("icloud", "iCloud", ("icloud.com", "me.com", "mac.com"), _USUAL),
)
DOMAIN_PRESETS = {preset.code: preset for preset in _ALL}

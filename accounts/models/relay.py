"""Relay: an SMTP account that mail is submitted through (RFC 6409, 8314), and its limits."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.team import Team
from accounts.secrets import SecretField


class TlsMode(models.TextChoices):
    """How the connection is protected. Verification is never off; `none` only reaches loopback."""

    IMPLICIT = "implicit", _("TLS（465）")
    STARTTLS = "starttls", _("STARTTLS（587）")
    NONE = "none", _("不加密（仅限本机）")
    # Direct sending alone, where no password is at stake (RFC 7435).
    OPPORTUNISTIC = "opportunistic", _("能加密就加密")


class RelayKind(models.TextChoices):
    """An account that takes mail for everybody, or ourselves at each recipient's own server (RFC 5321 5.1)."""

    ACCOUNT = "account", _("发信账号")
    DIRECT = "direct", _("直接投递（自有 IP）")


def default_retry_seconds() -> list[int]:
    """A greylisting server wants five minutes; a day of tries ends it."""
    return [300, 900, 1800, 3600, 7200, 14400, 28800]


class Relay(models.Model):
    """Timeouts and delays are seconds. `quota_group` names the account whose quota is counted.

    A direct relay has no account: `host` is then its own name, the one that it says at EHLO.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="relays")
    name = models.CharField(_("名称"), max_length=100)
    kind = models.CharField(
        _("方式"), max_length=10, choices=RelayKind.choices, default=RelayKind.ACCOUNT
    )
    preset = models.CharField(_("服务商"), max_length=30, blank=True)
    host = models.CharField(_("服务器"), max_length=255)
    port = models.PositiveIntegerField(
        _("端口"), default=465, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    tls_mode = models.CharField(
        _("加密方式"), max_length=16, choices=TlsMode.choices, default=TlsMode.IMPLICIT
    )
    ca_pem = models.TextField(_("公司 CA 证书（PEM）"), blank=True)
    # A superuser's decision: this host may lie on the loopback or a private network.
    internal_allowed = models.BooleanField(_("允许内网地址"), default=False)
    username = models.CharField(_("用户名"), max_length=255, blank=True)
    secret = SecretField(_("授权码或密码"), blank=True)
    # Instead of the secret: a token that is fetched when it is needed.
    oauth = models.ForeignKey(
        "accounts.OAuthLogin",
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="relays",
        verbose_name=_("OAuth 登录"),
    )
    ehlo_name = models.CharField(_("EHLO 主机名"), max_length=253, blank=True)
    source_ip = models.GenericIPAddressField(_("出口 IP"), null=True, blank=True)
    from_addresses = models.JSONField(
        _("可用的发件地址"),
        default=list,
        help_text=_("每行一个地址，或以 @ 开头的整个域名。"),
    )
    # 163 and QQ force the envelope sender to the login; others take a return path of our own.
    own_return_path = models.BooleanField(_("允许自定义退信地址"), default=False)
    bounce_mailbox = models.ForeignKey(
        "accounts.BounceMailbox",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="relays",
        verbose_name=_("退信邮箱"),
    )
    quota_group = models.CharField(_("配额组"), max_length=255, blank=True)
    max_connections = models.PositiveSmallIntegerField(
        _("最大连接数"), default=1, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    per_connection = models.PositiveIntegerField(_("每个连接的最大邮件数"), null=True, blank=True)
    # A direct relay's connections to one recipient domain.
    domain_connections = models.PositiveSmallIntegerField(
        _("每个域名的最大连接数"),
        default=2,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
    )
    connect_timeout = models.PositiveSmallIntegerField(default=30)
    command_timeout = models.PositiveSmallIntegerField(default=60)
    # RFC 5321 4.5.3.2.6: ten minutes for the reply to the final dot.
    final_dot_timeout = models.PositiveSmallIntegerField(default=600)
    retry_seconds = models.JSONField(default=default_retry_seconds)
    deliver_hours = models.PositiveSmallIntegerField(_("放弃前的小时数"), default=24)

    enabled = models.BooleanField(_("启用"), default=True)
    parked_until = models.DateTimeField(null=True, blank=True)
    park_reason = models.CharField(max_length=300, blank=True)
    # Which reply rule stopped it (campaigns.models.ReplyRule.key, or a shipped rule's key).
    park_rule = models.CharField(max_length=60, blank=True, default="")
    # The rate is used up until then: a tick starts no worker only to wait.
    resting_until = models.DateTimeField(null=True, blank=True)
    # When somebody said that no copy of a payslip stays where others can read it (SentCopy).
    copies_settled_at = models.DateTimeField(null=True, blank=True)
    copies_settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["team", "name"], name="relay_name_once")
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.quota_group:
            from accounts.presets import quota_group  # its data is made of these models' choices

            self.quota_group = quota_group(self.preset, self.host, self.username)
        super().save(*args, **kwargs)

    @property
    def is_direct(self) -> bool:
        return self.kind == RelayKind.DIRECT

    def may_send_as(self, address: str) -> bool:
        """Whether the relay lets this from-address through; domains are written `@example.com`."""
        address = address.lower()
        domain = "@" + address.rpartition("@")[2]
        return any(entry.lower() in (address, domain) for entry in self.from_addresses)


class LimitWindow(models.TextChoices):
    """The windows a provider counts in."""

    SECOND = "second", _("每秒")
    MINUTE = "minute", _("每分钟")
    QUARTER_HOUR = "quarter_hour", _("每 15 分钟")
    HOUR = "hour", _("每小时")
    DAY = "day", _("每天")


class RelayLimit(models.Model):
    """At most `amount` messages in every window; all limits of a relay hold at once."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    relay = models.ForeignKey(Relay, models.CASCADE, related_name="limits")
    window = models.CharField(_("时间窗"), max_length=20, choices=LimitWindow.choices)
    amount = models.PositiveIntegerField(_("封数"), validators=[MinValueValidator(1)])
    # Blank: the window rolls. Else the day begins at midnight of this IANA zone.
    zone = models.CharField(_("时区"), max_length=64, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["relay", "window"], name="relay_limit_once")
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.get_window_display()}"

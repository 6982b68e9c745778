"""BounceMailbox: a mailbox that is polled by POP3 (RFC 1939) or IMAP (RFC 9051) for what comes back."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.relay import TlsMode
from accounts.models.team import Team
from accounts.secrets import SecretField

# A maildrop is asked with a password: nothing about its encryption is left to chance.
TLS_CHOICES = [choice for choice in TlsMode.choices if choice[0] != TlsMode.OPPORTUNISTIC]


class Protocol(models.TextChoices):
    POP3 = "pop3", "POP3"
    IMAP = "imap", "IMAP"


class Leaving(models.TextChoices):
    """What happens on the server to a message that has been read."""

    OURS_DELETED = "ours_deleted", _("只删除本系统的退信报告")
    OURS_MOVED = "ours_moved", _("把本系统的退信报告移到另一个文件夹（仅 IMAP）")
    NOTHING_DELETED = "nothing_deleted", _("全部保留在服务器上")


class BounceMailbox(models.Model):
    """`exclusive`: used for bounces only, so everything in it is ours to record and delete."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="bounce_mailboxes")
    name = models.CharField(_("名称"), max_length=100)
    address = models.EmailField(_("退信邮箱地址"))
    protocol = models.CharField(
        _("协议"), max_length=4, choices=Protocol.choices, default=Protocol.POP3
    )
    host = models.CharField(_("收信服务器"), max_length=255)
    port = models.PositiveIntegerField(
        _("端口"), default=995, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    tls_mode = models.CharField(
        _("加密方式"), max_length=10, choices=TLS_CHOICES, default=TlsMode.IMPLICIT
    )
    ca_pem = models.TextField(_("公司 CA 证书（PEM）"), blank=True)
    internal_allowed = models.BooleanField(_("允许内网地址"), default=False)
    username = models.CharField(_("用户名"), max_length=255)
    secret = SecretField(_("授权码或密码"), blank=True)
    oauth = models.ForeignKey(
        "accounts.OAuthLogin",
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="mailboxes",
        verbose_name=_("OAuth 登录"),
    )
    exclusive = models.BooleanField(_("仅用于接收退信"), default=False)
    leaving = models.CharField(
        _("读取后"), max_length=20, choices=Leaving.choices, default=Leaving.OURS_DELETED
    )
    # So many days after it was read is a report deleted or moved; 0: at once.
    leave_days = models.PositiveSmallIntegerField(
        _("几天后再删除或移动"), default=0, validators=[MaxValueValidator(365)]
    )
    # IMAP: the folders that are read, one a line; blank: the inbox and the junk folder.
    folders = models.TextField(_("读取的文件夹"), blank=True, max_length=2000)
    # IMAP: where reports are moved to.
    moved_to = models.CharField(_("移到文件夹"), max_length=200, blank=True)
    # How a delivery's own return path is written, as in `bounce+{token}@example.com`.
    return_path_pattern = models.CharField(_("退信地址格式"), max_length=255, blank=True)
    enabled = models.BooleanField(_("启用"), default=True)
    poll_lease_until = models.DateTimeField(null=True, blank=True)
    polled_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["team", "name"], name="bounce_mailbox_name_once")
        ]

    def __str__(self) -> str:
        return self.name

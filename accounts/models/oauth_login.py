"""OAuthLogin: what signs in to SMTP, POP3 and IMAP by XOAUTH2 instead of a password (RFC 6749)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.team import Team
from accounts.secrets import SecretField


class OAuthProvider(models.TextChoices):
    GOOGLE = "google", _("Google")
    MICROSOFT = "microsoft", _("Microsoft（Office 365）")
    OTHER = "other", _("其他")


class OAuthFlow(models.TextChoices):
    """How the first token is come by: a person agrees in a browser, or the application has its own right."""

    CODE = "code", _("由邮箱的主人在浏览器里授权")
    CLIENT = "client", _("应用自己的权限（client credentials）")


class OAuthLogin(models.Model):
    """One application's leave to use a mailbox; relays and bounce mailboxes point to it.

    `code` waits with its `verifier` for a worker that exchanges it. `refused`: why the token endpoint gave none at the
    last time ("" where it did); `said` is that endpoint's own error word. `lease_until`: a worker is fetching.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="oauth_logins")
    name = models.CharField(_("名称"), max_length=100)
    provider = models.CharField(
        _("服务商"), max_length=10, choices=OAuthProvider.choices, default=OAuthProvider.GOOGLE
    )
    flow = models.CharField(
        _("授权方式"), max_length=10, choices=OAuthFlow.choices, default=OAuthFlow.CODE
    )
    # Microsoft's directory: a GUID, a domain, or "organizations".
    tenant = models.CharField(_("租户（Tenant ID）"), max_length=100, blank=True)
    client_id = models.CharField(_("客户端 ID"), max_length=255)
    client_secret = SecretField(_("客户端密钥"), blank=True)
    authorize_url = models.CharField(_("授权地址"), max_length=300, blank=True)
    token_url = models.CharField(_("令牌地址"), max_length=300, blank=True)
    scope = models.CharField(_("权限范围（scope）"), max_length=500, blank=True)
    # A superuser's decision, as for a relay: the token endpoint may lie on a private network.
    internal_allowed = models.BooleanField(_("允许内网地址"), default=False)
    refresh_token = SecretField(_("刷新令牌"), blank=True)
    access_token = SecretField(blank=True)
    access_until = models.DateTimeField(null=True, blank=True)
    code = SecretField(blank=True)
    verifier = SecretField(blank=True)
    fetched_at = models.DateTimeField(null=True, blank=True)
    refused = models.CharField(max_length=40, blank=True)
    said = models.CharField(max_length=300, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["team", "name"], name="oauth_login_name_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["due_at"],
                name="oauth_login_due",
                condition=models.Q(due_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        """Whether a worker has been asked for a token and has not answered yet."""
        return self.due_at is not None and self.due_at <= timezone.now()

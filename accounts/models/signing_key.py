"""SigningKey: a DKIM key of one domain and selector (RFC 6376; Ed25519 is RFC 8463)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.team import Team
from accounts.secrets import SecretField


class Algorithm(models.TextChoices):
    RSA = "rsa", "RSA-2048"
    ED25519 = "ed25519", "Ed25519"


class SigningKey(models.Model):
    """The private half never leaves the server; `public_key` is base64, as in the DNS record."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="signing_keys")
    domain = models.CharField(_("域名"), max_length=253)
    selector = models.CharField(_("选择器"), max_length=63)
    algorithm = models.CharField(
        _("算法"), max_length=20, choices=Algorithm.choices, default=Algorithm.RSA
    )
    private_key = SecretField()
    public_key = models.TextField()
    active = models.BooleanField(_("用于签名"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["team", "domain", "selector"], name="selector_once_per_domain"
            )
        ]

    def __str__(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record_name(self) -> str:
        """Where the public half is published."""
        return f"{self.selector}._domainkey.{self.domain}"

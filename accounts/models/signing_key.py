"""SigningKey: a DKIM key of one domain and selector (RFC 6376; Ed25519 is RFC 8463)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.team import Team
from accounts.secrets import SecretField


class Algorithm(models.TextChoices):
    RSA = "rsa", "RSA-2048"
    ED25519 = "ed25519", "Ed25519"


class KeyStage(models.TextChoices):
    """Where a key stands in its life."""

    WAITING = "waiting", _("等待发布")
    SIGNING = "signing", _("用于签名")
    GRACE = "grace", _("已换下，记录要留着")
    RETIRED = "retired", _("已换下，记录可以删除")
    OFF = "off", _("未使用")


# How long the record of a key that no longer signs must stay in DNS: mail may be on its way for days
# (RFC 5321 4.5.4.1), and is looked at again when it is forwarded.
GRACE = timedelta(days=7)


class SigningKey(models.Model):
    """The private half never leaves the server; `public_key` is base64, as in the DNS record.

    A new key waits until its record is seen in DNS, and then signs in the place of the one that it
    replaces (pipeline/rotate_keys.py).
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="signing_keys")
    domain = models.CharField(_("域名"), max_length=253)
    selector = models.CharField(_("选择器"), max_length=63)
    algorithm = models.CharField(
        _("算法"), max_length=20, choices=Algorithm.choices, default=Algorithm.RSA
    )
    private_key = SecretField()
    public_key = models.TextField()
    active = models.BooleanField(_("用于签名"), default=True)
    # Not yet: it signs as soon as its record is found.
    waiting = models.BooleanField(default=False)
    replaces = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="successors"
    )
    # When its record was last looked for; None: it is to be looked for now.
    looked_at = models.DateTimeField(null=True, blank=True)
    signs_since = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
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

    @property
    def stage(self) -> KeyStage:
        if self.active:
            return KeyStage.SIGNING
        if self.waiting:
            return KeyStage.WAITING
        if self.record_until is None:
            return KeyStage.OFF
        return KeyStage.GRACE if timezone.now() < self.record_until else KeyStage.RETIRED

    @property
    def stage_label(self) -> str:
        return str(self.stage.label)

    @property
    def record_until(self) -> datetime | None:
        """Until then the record of a key that was taken out of use must stay published."""
        return self.retired_at + GRACE if self.retired_at else None

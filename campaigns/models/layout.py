"""PayslipLayout: how a team's payslips are laid out, without anybody writing HTML."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Team


class PayslipLayout(models.Model):
    """`content` is documents.layout.Layout as JSON; `history` what it was before each change, the oldest first.

    It names columns, never what a cell holds. A launch freezes a copy of its own.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="payslip_layouts")
    name = models.CharField(_("名称"), max_length=100)
    content = models.JSONField(default=dict)
    history = models.JSONField(default=list)
    # Two people's changes: the second one is told, and overwrites nothing.
    version = models.PositiveIntegerField(default=1)
    # The company's picture, base64; apart from `content`, so that `history` holds it once.
    logo = models.TextField(blank=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    updated_at = models.DateTimeField(auto_now=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="layout_name_once")]

    def __str__(self) -> str:
        return self.name

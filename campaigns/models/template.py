"""MessageTemplate: subject, HTML and text with merge fields, in the sandboxed engine."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Team


class Kind(models.TextChoices):
    """What a template and a campaign are for."""

    NEWSLETTER = "newsletter", _("新闻邮件")
    PAYSLIP = "payslip", _("工资条")


class MessageTemplate(models.Model):
    """`prepared_*` is what is rendered: CSS inlined, the text part made; derived at every save."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="templates")
    kind = models.CharField(_("用途"), max_length=12, choices=Kind.choices)
    name = models.CharField(_("名称"), max_length=100)
    subject = models.CharField(_("主题"), max_length=500)
    html = models.TextField(_("HTML 正文"))
    text = models.TextField(_("纯文本正文"), blank=True)
    prepared_html = models.TextField(editable=False)
    prepared_text = models.TextField(editable=False)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    updated_at = models.DateTimeField(auto_now=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="template_name_once")]

    def __str__(self) -> str:
        return self.name

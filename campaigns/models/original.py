"""Original: a message that came back, as it came, for a set time; BounceRule: what a phrase in one means.

What belongs to a payslip is sealed with its workbook's key and is its HR's alone; the rest with a key of
its own, for those who may see mailboxes. pipeline/originals.py keeps, opens and destroys them.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import BounceMailbox, Team
from accounts.secrets import SecretField
from campaigns.models.campaign import Campaign


class RuleMeaning(models.TextChoices):
    """What a message with the phrase is."""

    HARD = "hard", _("硬退信：地址不可用")
    SOFT = "soft", _("软退信：暂时或内容原因")
    AUTO_REPLY = "auto_reply", _("自动回复")
    IGNORE = "ignore", _("不用理会")


class BounceRule(models.Model):
    """A phrase (* stands for anything) that makes a message understood which the shipped readers leave
    unrecognised. It never proves whose message it is: that is matching.py's."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="bounce_rules")
    phrase = models.CharField(_("邮件里的话"), max_length=200)
    meaning = models.CharField(_("这是什么"), max_length=12, choices=RuleMeaning.choices)
    reason = models.CharField(_("退信原因"), max_length=30, blank=True)
    enabled = models.BooleanField(_("启用"), default=True)
    hits = models.PositiveIntegerField(default=0)
    last_hit_at = models.DateTimeField(null=True, blank=True)
    # Somebody asked to have it applied to what is kept: a worker takes the row (pipeline/bounce_rules.py).
    apply_asked_at = models.DateTimeField(null=True, blank=True)
    apply_lease_until = models.DateTimeField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    applied_number = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "phrase"], name="bounce_rule_phrase_once")
        ]

    def __str__(self) -> str:
        return self.phrase


class Original(models.Model):
    """`sealed`: the message's bytes, deflated and sealed; `sealed_said`: its readable text, for rules to be
    tried on. `campaign`: the payslip campaign whose workbook's key seals them; without one `key` does.
    `maybe_payslip`: nothing proves that it quotes no payslip, so whoever reads it must be allowed all."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    mailbox = models.ForeignKey(BounceMailbox, models.SET_NULL, null=True, related_name="+")
    campaign = models.ForeignKey(
        Campaign, models.CASCADE, null=True, blank=True, related_name="originals"
    )
    maybe_payslip = models.BooleanField(default=False)
    # MaildropMessage.verdict: what it is taken for.
    verdict = models.CharField(max_length=20)
    rule = models.ForeignKey(
        BounceRule, models.SET_NULL, null=True, blank=True, related_name="originals"
    )
    key = SecretField(blank=True)
    sealed = models.BinaryField()
    sealed_said = models.BinaryField()
    # Octets as they were read, and whether the message had more.
    size = models.PositiveIntegerField()
    cut = models.BooleanField(default=False)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["team", "received_at"], name="original_oldest"),
            models.Index(
                fields=["team", "-id"],
                name="original_open",
                condition=models.Q(verdict__in=["unrecognised", "ordinary"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.verdict}"

"""ReplyRule: what a team knows of its servers' replies; before, and in place of, the shipped rules."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay, Team

# The steps (mailer.reply.Phase) at which a reply is about a recipient; before them it is about the
# relay, and must never cost a recipient anything.
ABOUT_RECIPIENT = ("rcpt", "data", "content")


class RuleAction(models.TextChoices):
    """What a matched reply leads to. None of these ever suppresses an address."""

    PARK_RELAY = "park_relay", _("暂停这个发信账号")
    PARK_DOMAIN = "park_domain", _("这个账号暂停往该收件域名发")
    RETRY = "retry", _("这位收件人稍后再试")
    RECONNECT = "reconnect", _("断开，换一个连接再试")
    REFUSE = "refuse", _("算作被拒，不再尝试")
    HOLD = "hold", _("暂停这个活动（内容有问题）")

    @property
    def is_about_recipient(self) -> bool:
        """Only a reply to RCPT, DATA or the content speaks about a recipient or a message."""
        return self in (self.PARK_DOMAIN, self.RETRY, self.REFUSE, self.HOLD)


class ReplyRule(models.Model):
    """Matches when each filled-in field does. `code`: 450 or 45x, several by commas; `enhanced`: 4.7.1 or
    4.7.*; `text`: a phrase in which * stands for anything. `seconds` is how long the action lasts."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    relay = models.ForeignKey(
        Relay,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="reply_rules",
        verbose_name=_("用于"),
    )
    order = models.PositiveIntegerField(
        _("次序"), default=10, validators=[MaxValueValidator(100_000)]
    )
    phase = models.CharField(_("到哪一步"), max_length=12, blank=True)
    code = models.CharField(_("回复码"), max_length=40, blank=True)
    enhanced = models.CharField(_("增强状态码"), max_length=40, blank=True)
    text = models.CharField(_("回复里的话"), max_length=200, blank=True)
    action = models.CharField(_("怎么办"), max_length=12, choices=RuleAction.choices)
    seconds = models.PositiveIntegerField(
        default=900, validators=[MinValueValidator(1), MaxValueValidator(7 * 86_400)]
    )
    # The cause that is stored with what it caught; a copied rule keeps the shipped one's.
    reason = models.CharField(max_length=40, blank=True)
    sentence = models.CharField(_("用一句话说明"), max_length=200)
    enabled = models.BooleanField(_("启用"), default=True)
    copied_from = models.CharField(max_length=60, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["team", "order"], name="reply_rule_order")]

    def __str__(self) -> str:
        return self.sentence

    @property
    def key(self) -> str:
        """What an attempt that it caught remembers."""
        return f"own:{self.pk}"


class ShippedRuleOff(models.Model):
    """A shipped rule that one relay does not use; without a row it is used."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    relay = models.ForeignKey(Relay, models.CASCADE, related_name="shipped_rules_off")
    key = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["relay", "key"], name="shipped_rule_off_once")
        ]

    def __str__(self) -> str:
        return f"{self.relay_id} {self.key}"


class RelayPark(models.Model):
    """One stop of a relay by a reply: the first word of it, however many workers met it."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    relay = models.ForeignKey(Relay, models.CASCADE, related_name="parks", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()
    reason = models.CharField(max_length=40)
    rule = models.CharField(max_length=60, blank=True)

    class Meta:
        indexes = [models.Index(fields=["relay", "-at"], name="relay_park_newest")]

    def __str__(self) -> str:
        return f"{self.relay_id} {self.at}"

"""Feedback, MaildropMessage, Suppression: what comes back, and whom we must not mail."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import BounceMailbox, Team
from campaigns.models.campaign import Campaign
from campaigns.models.contact import ContactList
from campaigns.models.delivery import Delivery
from campaigns.models.original import Original


class FeedbackKind(models.TextChoices):
    BOUNCE = "bounce", _("退信")
    DELAYED = "delayed", _("延迟")
    DELIVERED = "delivered", _("送达回执")
    COMPLAINT = "complaint", _("投诉")
    AUTO_REPLY = "auto_reply", _("自动回复")
    CHALLENGE = "challenge", _("验证请求")
    UNSUBSCRIBE = "unsubscribe", _("退订邮件")
    REPLY = "reply", _("人工回复")
    UNRECOGNISED = "unrecognised", _("未能识别")


class Proof(models.TextChoices):
    """Why we believe that it concerns the delivery; unproven feedback suppresses nobody."""

    RETURN_PATH = "return_path", _("带签名的收件地址")
    MESSAGE_ID = "message_id", _("Message-ID 与收件人相符")
    NONE = "", _("未证实")


class Feedback(models.Model):
    """A bounce (RFC 3464), a complaint (RFC 5965), an automatic response (RFC 3834) …"""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12, choices=FeedbackKind.choices)
    mailbox = models.ForeignKey(BounceMailbox, models.SET_NULL, null=True, related_name="+")
    delivery = models.ForeignKey(
        Delivery, models.SET_NULL, null=True, blank=True, related_name="feedback"
    )
    campaign = models.ForeignKey(
        Campaign, models.SET_NULL, null=True, blank=True, related_name="feedback"
    )
    proof = models.CharField(max_length=12, choices=Proof.choices, blank=True)
    address = models.CharField(max_length=320)
    address_key = models.CharField(max_length=320)
    hard = models.BooleanField(default=False)
    reason = models.CharField(max_length=30, blank=True)
    status = models.CharField(max_length=12, blank=True)
    text = models.TextField(blank=True)
    # A payslip's: sealed with the workbook's key, as is the returned original.
    sealed_text = models.BinaryField(null=True)
    # The message that said so, as long as it is kept.
    original = models.ForeignKey(
        Original, models.SET_NULL, null=True, blank=True, related_name="feedback"
    )
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["team", "-received_at"]),
            models.Index(fields=["campaign", "kind"]),
            models.Index(fields=["team", "address_key"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.address}"


class MaildropMessage(models.Model):
    """A message of a mailbox by its UIDL (RFC 1939) or its folder, UIDVALIDITY and UID (RFC 9051): read
    once, deleted only after this row. `fingerprint`: the SHA-256 of what was read, so that a server which
    numbers its messages anew has none recorded twice."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    mailbox = models.ForeignKey(BounceMailbox, models.CASCADE, related_name="messages")
    uidl = models.CharField(max_length=100)
    verdict = models.CharField(max_length=20)
    ours = models.BooleanField(default=False)
    seen_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "uidl"], name="maildrop_message_once")
        ]
        indexes = [
            models.Index(fields=["mailbox", "fingerprint"], name="maildrop_message_print"),
        ]

    def __str__(self) -> str:
        return f"{self.mailbox_id}:{self.uidl}"


class SuppressionReason(models.TextChoices):
    HARD_BOUNCE = "hard_bounce", _("硬退信")
    REFUSED = "refused", _("服务器拒收：地址不存在")
    SOFT_BOUNCES = "soft_bounces", _("一再软退信")
    COMPLAINT = "complaint", _("投诉")
    UNSUBSCRIBED = "unsubscribed", _("退订")
    MANUAL = "manual", _("人工添加")
    ERASED = "erased", _("个人数据已删除")


class Suppression(models.Model):
    """An address that we must not mail, everywhere or (with a list) from one list."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="suppressions")
    contact_list = models.ForeignKey(
        ContactList, models.CASCADE, null=True, blank=True, related_name="suppressions"
    )
    address = models.CharField(_("邮箱"), max_length=320)
    address_key = models.CharField(max_length=320)
    reason = models.CharField(_("原因"), max_length=15, choices=SuppressionReason.choices)
    delivery = models.ForeignKey(
        Delivery, models.SET_NULL, null=True, blank=True, related_name="suppressions"
    )
    note = models.CharField(_("备注"), max_length=300, blank=True)
    # Where it was imported from: a workbook's name, another system.
    source = models.CharField(_("来源"), max_length=200, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "address_key", "contact_list"],
                name="suppression_once_per_list",
                condition=models.Q(contact_list__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["team", "address_key"],
                name="suppression_once",
                condition=models.Q(contact_list__isnull=True),
            ),
        ]
        # How many were added by themselves in the last hour is asked before the next one is.
        indexes = [models.Index(fields=["team", "created_at"], name="suppression_newest")]

    def __str__(self) -> str:
        return self.address

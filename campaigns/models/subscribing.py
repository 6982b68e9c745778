"""SubscribeForm and SubscriptionProof: how people join a list by themselves, and what proves that they did."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from campaigns.models.campaign import Campaign
from campaigns.models.contact import ContactList
from campaigns.models.delivery import Delivery


class SubscribeForm(models.Model):
    """A list's public form. `campaign` is the standing one whose deliveries ask for confirmation."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    contact_list = models.OneToOneField(ContactList, models.CASCADE, related_name="subscribe_form")
    campaign = models.OneToOneField(Campaign, models.CASCADE, related_name="+")
    text = models.CharField(_("同意的内容"), max_length=500)
    enabled = models.BooleanField(_("接受订阅"), default=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.contact_list_id}"


class SubscriptionProof(models.Model):
    """One request: the text that was agreed to, when and from which network it was asked for, and
    when and from where the link of the mail confirmed it (double opt-in)."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    contact_list = models.ForeignKey(ContactList, models.CASCADE, related_name="proofs")
    address = models.CharField(max_length=320)
    address_key = models.CharField(max_length=320)
    text = models.CharField(max_length=500)
    asked_at = models.DateTimeField(default=timezone.now)
    asked_from = models.CharField(max_length=45)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    confirmed_from = models.CharField(max_length=45, blank=True)
    delivery = models.OneToOneField(
        Delivery, models.SET_NULL, null=True, blank=True, related_name="proof"
    )

    class Meta:
        indexes = [
            models.Index(fields=["contact_list", "asked_at"]),
            models.Index(fields=["asked_from", "asked_at"]),
            models.Index(fields=["team", "address_key"]),
        ]

    def __str__(self) -> str:
        return f"{self.contact_list_id}:{self.pk}"

"""CampaignStop: a stop rule fired, and what of the campaign it stopped until a person lifts it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay, Team
from campaigns.models.campaign import Campaign


class StopRule(models.TextChoices):
    BOUNCES = "bounces", _("退信和被拒的比例")
    COMPLAINTS = "complaints", _("投诉的比例")
    SAME_REFUSAL = "same_refusal", _("同样的拒收")


class CampaignStop(models.Model):
    """With a relay: the campaign through it (with a domain: that domain's recipients). Without: all
    of it, and the campaign's hold_reason says so. `figures` is what the rule saw.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="stops")
    relay = models.ForeignKey(Relay, models.CASCADE, null=True, related_name="+")
    domain = models.CharField(max_length=253, blank=True)
    rule = models.CharField(max_length=12, choices=StopRule.choices)
    figures = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        indexes = [
            # The claim asks it for each batch: only what stops now is in it.
            models.Index(
                fields=["campaign", "relay"],
                name="campaign_stopped",
                condition=models.Q(lifted_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.rule}"

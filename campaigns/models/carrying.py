"""Who carries a campaign: its relays with their shares, and what was moved or tried again."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay, Team
from campaigns.models.campaign import Campaign
from campaigns.models.delivery import Delivery

HEAVIEST = 100


class CampaignRelay(models.Model):
    """One of several relays of a campaign. One that goes through `Campaign.relay` alone has no row.

    `counts`: deliveries by state at the last recount. `trouble_since`: parked or disabled since then,
    and nothing accepted since. `emptied_at`: its waiting work went to the others then.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="carriers")
    relay = models.ForeignKey(Relay, models.PROTECT, related_name="+")
    weight = models.PositiveSmallIntegerField(
        _("份额"), default=1, validators=[MinValueValidator(1), MaxValueValidator(HEAVIEST)]
    )
    counts = models.JSONField(default=dict)
    trouble_since = models.DateTimeField(null=True, blank=True)
    emptied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "relay"], name="campaign_relay_once")
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} · {self.relay_id} × {self.weight}"


class EventKind(models.TextChoices):
    MOVED = "moved", _("换了发信账号")
    RETURNED = "returned", _("回到原来的发信账号")
    RETRIED = "retried", _("重试")


class CampaignEvent(models.Model):
    """What was done to `number` deliveries at once: moved between relays, or tried again by a person.

    `chosen`: of a retry, the [state, reason] pairs that a person ticked. `done_at` stays null while
    rows are still to be worked off.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="events")
    kind = models.CharField(max_length=10, choices=EventKind.choices)
    relay_from = models.ForeignKey(Relay, models.SET_NULL, null=True, related_name="+")
    relay_to = models.ForeignKey(Relay, models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=300, blank=True)
    chosen = models.JSONField(default=list)
    number = models.PositiveIntegerField(default=0)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["campaign"],
                name="campaign_event_open",
                condition=models.Q(done_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.kind} {self.number}"


class DeliveryEvent(models.Model):
    """One delivery's part of it: what it was before, so that no end is forgotten."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+", db_index=False)
    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="events")
    event = models.ForeignKey(CampaignEvent, models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=12)
    reason = models.CharField(max_length=40, blank=True)
    detail = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.event_id}"

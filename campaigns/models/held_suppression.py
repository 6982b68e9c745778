"""HeldSuppression: an address that would have been suppressed by itself, had not so many been at once."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import Team
from campaigns.models.delivery import Delivery
from campaigns.models.feedback import SuppressionReason


class HeldSuppression(models.Model):
    """A person decides: either it becomes a Suppression, or it goes. Until then the address is mailed."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="held_suppressions")
    address = models.CharField(max_length=320)
    address_key = models.CharField(max_length=320)
    reason = models.CharField(max_length=15, choices=SuppressionReason.choices)
    delivery = models.ForeignKey(
        Delivery, models.SET_NULL, null=True, blank=True, related_name="held_suppressions"
    )
    note = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "address_key"], name="held_suppression_once")
        ]

    def __str__(self) -> str:
        return f"{self.team_id}:{self.pk}"

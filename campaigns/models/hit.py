"""Hits: what came to a newsletter's tracked links and picture. No address of a visitor is stored.

A Hit is kept for some days (HIT_DAYS), until it was judged and counted; the counts stay.
"""

from __future__ import annotations

from django.db import models

from accounts.models import Team
from campaigns.models.campaign import Campaign
from campaigns.models.delivery import Delivery
from campaigns.models.tracking import Visitor


class Hit(models.Model):
    """One request. `delivery` only where the campaign tracks individuals; `link` 0 is the picture."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="+")
    delivery = models.ForeignKey(Delivery, models.CASCADE, null=True, related_name="hits")
    link = models.PositiveIntegerField()
    at = models.DateTimeField(db_index=True)
    # Blank: nothing in the request itself gave a machine away.
    visitor = models.CharField(max_length=10, choices=Visitor.choices, blank=True)
    counted = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="hit_uncounted", condition=models.Q(counted=False))
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}:{self.link}"


class HitCount(models.Model):
    """How many hits of a kind came to a link within an hour that begins at `hour` (UTC)."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey(
        Campaign, models.CASCADE, related_name="hit_counts", db_index=False
    )
    link = models.PositiveIntegerField()
    hour = models.DateTimeField()
    visitor = models.CharField(max_length=10, choices=Visitor.choices)
    number = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "link", "hour", "visitor"], name="hit_count_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}:{self.link} {self.number}"


class RecipientHit(models.Model):
    """What one recipient's message had of one link, where the campaign tracks individuals.

    `first_at` and `last_at` are of people where there were any, of machines otherwise.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey(
        Campaign, models.CASCADE, related_name="recipient_hits", db_index=False
    )
    delivery = models.ForeignKey(
        Delivery, models.CASCADE, related_name="recipient_hits", db_index=False
    )
    link = models.PositiveIntegerField()
    people = models.PositiveIntegerField(default=0)
    machines = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["delivery", "link"], name="recipient_hit_once")
        ]
        indexes = [models.Index(fields=["campaign", "link"])]

    def __str__(self) -> str:
        return f"{self.delivery_id}:{self.link}"

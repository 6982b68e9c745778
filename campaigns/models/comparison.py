"""Comparison: one month's payroll beside the month before, made by a worker."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from campaigns.models.campaign import Campaign
from campaigns.models.workbook import Workbook


class Extent(models.TextChoices):
    """How much of the month before was left to compare with."""

    NOTHING = "", _("没有可比的活动")
    ADDRESSES = "addresses", _("只比了地址")
    FULL = "full", _("逐项比较")


class Comparison(models.Model):
    """One a campaign. What it found is sealed with the key of the campaign's workbook and goes with it;
    it holds amounts of the month before too, so it goes with that one's content as well."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    campaign = models.OneToOneField(Campaign, models.CASCADE, related_name="comparison")
    # The month before: found by its columns, unless a person chose it.
    against = models.ForeignKey(
        Campaign,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("与哪次比较"),
    )
    is_chosen = models.BooleanField(default=False)
    # In percent, of the amount in the month before; which columns are looked at (none: net pay).
    share = models.PositiveSmallIntegerField(
        _("变动超过（%）"),
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
    )
    columns = models.JSONField(default=list)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)
    # Of which file and reading of it this speaks.
    workbook = models.ForeignKey(Workbook, models.SET_NULL, null=True, related_name="+")
    reading = models.PositiveIntegerField(default=0)
    extent = models.CharField(max_length=10, choices=Extent.choices, blank=True)
    # How many people there are of each finding; never an amount or a name.
    counts = models.JSONField(default=dict)
    sealed = models.BinaryField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                name="comparison_to_make",
                condition=models.Q(ended_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}"

"""ReturnedWorkbook: HR's own file with what became of each row beside it, made by a worker."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.models import Team
from campaigns.models.campaign import Campaign


class ReturnedWorkbook(models.Model):
    """Asked for by a person. The file is sealed with the key of the campaign's workbook, and goes
    with it; a campaign keeps its last one alone."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="returned_workbooks")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    # The columns are headed and the states said in the language of who asked.
    language = models.CharField(max_length=10)
    created_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)
    # A RejectKind, where it could not be made.
    failed_kind = models.CharField(max_length=30, blank=True)
    suffix = models.CharField(max_length=8, blank=True)
    sealed = models.BinaryField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign"],
                name="returned_workbook_one_at_a_time",
                condition=models.Q(ended_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}:{self.pk}"

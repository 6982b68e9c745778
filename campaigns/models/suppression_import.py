"""SuppressionImport: the rows of a workbook on their way into the suppressions."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.models import Team
from campaigns.models.contact import ContactList
from campaigns.models.feedback import SuppressionReason
from campaigns.models.workbook import Workbook


class SuppressionImport(models.Model):
    """Asked for by a person, done by a worker. `after` is the last WorkbookRow that was taken."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    workbook = models.ForeignKey(Workbook, models.CASCADE, related_name="suppression_imports")
    contact_list = models.ForeignKey(
        ContactList, models.CASCADE, null=True, blank=True, related_name="+"
    )
    reason = models.CharField(max_length=15, choices=SuppressionReason.choices)
    note = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    after = models.BigIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workbook"],
                name="suppression_import_one_at_a_time",
                condition=models.Q(ended_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.workbook_id}:{self.done}"

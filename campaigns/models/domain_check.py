"""DomainCheck: what the DNS doctor last found for one from-domain through one relay; the row is its queue too."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import Relay, Team


class DomainCheck(models.Model):
    """`findings`: those of mailer.domain.findings as JSON. `facts`: records and policy that were found.

    A check is due when `due_at` has passed; a worker takes it by its lease. `alarm_at` is set when a repeated
    check finds something grave that was not there before, until it is gone or a person has seen it.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    domain = models.CharField(max_length=253)
    relay = models.ForeignKey(Relay, models.CASCADE, related_name="domain_checks")
    findings = models.JSONField(default=list)
    facts = models.JSONField(default=dict)
    due_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)
    alarm_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["relay", "domain"], name="domain_check_once_per_relay")
        ]
        indexes = [
            models.Index(fields=["due_at"], name="domain_check_due"),
            models.Index(
                fields=["team"],
                name="domain_check_alarm",
                condition=models.Q(alarm_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.domain} {self.relay_id}"

"""Probe: "test it" for a relay or a bounce mailbox, as a row that a worker takes and a page polls."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import BounceMailbox, Relay, Team


class ProbeState(models.TextChoices):
    WAITING = "waiting", _("等待")
    RUNNING = "running", _("进行中")
    PASSED = "passed", _("通过")
    FAILED = "failed", _("失败")


class Probe(models.Model):
    """`steps`: [{"step": code, "ok": bool, "text": sentence}], never a secret or a banner."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    relay = models.ForeignKey(Relay, models.CASCADE, null=True, blank=True, related_name="probes")
    mailbox = models.ForeignKey(
        BounceMailbox, models.CASCADE, null=True, blank=True, related_name="probes"
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    # Where the test message of a relay goes: the asking person's own address.
    address = models.CharField(max_length=320, blank=True)
    state = models.CharField(max_length=10, choices=ProbeState.choices, default=ProbeState.WAITING)
    steps = models.JSONField(default=list)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(relay__isnull=False, mailbox__isnull=True)
                | models.Q(relay__isnull=True, mailbox__isnull=False),
                name="probe_of_one_thing",
            )
        ]
        indexes = [
            models.Index(
                fields=["id"],
                name="probe_open",
                condition=models.Q(state__in=["waiting", "running"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.relay_id or self.mailbox_id} {self.state}"

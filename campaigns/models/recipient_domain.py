"""What holds for the domains that mail goes to: limits across all relays, and parks of one relay."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay, Team
from accounts.models.relay import LimitWindow


class ParkSource(models.TextChoices):
    REPLY = "reply", _("服务器的答复")
    PERSON = "person", _("管理员")


class DomainPark(models.Model):
    """Until then this relay sends nothing to this domain; everything else goes on.

    `reason` is a code of campaigns/reasons.py, or the sentence that a person wrote.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    relay = models.ForeignKey(Relay, models.CASCADE, related_name="domain_parks")
    domain = models.CharField(max_length=253)
    until = models.DateTimeField()
    reason = models.CharField(max_length=300, blank=True)
    source = models.CharField(max_length=10, choices=ParkSource.choices, default=ParkSource.REPLY)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["relay", "domain"], name="domain_park_once")]

    def __str__(self) -> str:
        return f"{self.relay_id} · {self.domain}"


class DomainLimit(models.Model):
    """At most so many messages to these domains in each window, through all of the team's relays.

    `domains` holds domains and, written "*.example.com", everything below one. `connections` is how
    many messages may be under way to them at once. What stands empty is not limited.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="domain_limits")
    name = models.CharField(_("名称"), max_length=100)
    domains = models.JSONField(_("收件域"), default=list)
    second = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    minute = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    quarter_hour = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    hour = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    day = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    connections = models.PositiveSmallIntegerField(
        _("同时发送的邮件数"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(200)],
    )
    enabled = models.BooleanField(_("启用"), default=True)
    # Its windows are full until then: a claim leaves these domains' deliveries to others.
    resting_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="domain_limit_name_once")
        ]

    def __str__(self) -> str:
        return self.name

    def amounts(self) -> Iterator[tuple[LimitWindow, int]]:
        """The windows that are limited, shortest first."""
        for window in LimitWindow:
            amount = getattr(self, window.value)
            if amount is not None:
                yield window, amount

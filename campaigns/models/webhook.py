"""Webhook and WebhookEvent: what a provider tells us over HTTP instead of by a mail that bounces."""

from __future__ import annotations

import secrets

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay, Team
from accounts.secrets import SecretField


def new_token() -> str:
    """256 random bits for an address that nobody guesses."""
    return secrets.token_urlsafe(32)


class Provider(models.TextChoices):
    """Who calls. Each is a reader in pipeline/webhook_readers.py."""

    SES = "ses", _("Amazon SES（经 SNS）")


class Webhook(models.Model):
    """The address that a relay's provider calls. `topic`: the only sender that is believed, pinned when
    the first call from one was confirmed."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    relay = models.OneToOneField(Relay, models.CASCADE, related_name="webhook")
    provider = models.CharField(max_length=10, choices=Provider.choices)
    token = models.CharField(max_length=64, unique=True, default=new_token)
    topic = models.CharField(max_length=300, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    # Why the last call was not believed: a code of views/hooks.py.
    last_refusal = models.CharField(max_length=40, blank=True)
    last_refusal_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.provider}:{self.relay_id}"


class EventState(models.TextChoices):
    WAITING = "waiting", _("等待处理")
    DONE = "done", _("已处理")
    REFUSED = "refused", _("没有采信")


class WebhookEvent(models.Model):
    """One call, kept as it came until a worker has read it; then its text is dropped.

    `external_id` is the provider's own, known once the call is believed: the same event twice is one.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="events")
    body = SecretField(blank=True)
    state = models.CharField(max_length=8, choices=EventState.choices, default=EventState.WAITING)
    external_id = models.CharField(max_length=100, null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "external_id"], name="webhook_event_once")
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="webhook_event_waiting",
                condition=models.Q(state="waiting"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.webhook_id}:{self.pk}"

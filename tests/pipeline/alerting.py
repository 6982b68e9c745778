"""Steps that tests of alerts share: a channel to a robot on loopback, and time that passes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Relay, Team
from campaigns.models import Alert, AlertChannel, AlertTelling, RelayPark
from campaigns.models.alert import AlertKind
from campaigns.pipeline import alert_tell
from tests import cast
from tests.fakes.robot import RobotServer

EVERYTHING = list(AlertKind.values)


def a_channel(team: Team, robot: RobotServer, **fields: Any) -> AlertChannel:
    given = {
        "name": robot.kind,
        "kind": robot.kind,
        "url": robot.url,
        "secret": robot.secret,
        "ca_pem": robot.ca_pem,
        "internal_allowed": True,
        "events": EVERYTHING,
    }
    return AlertChannel.objects.create(team=team, **(given | fields))


def tell_all() -> None:
    AlertChannel.objects.update(busy_until=None)
    for channel_id in alert_tell.waiting():
        alert_tell.tell(channel_id)


def later(hours: float) -> None:
    """As if so much time had passed for the alerts and their tellings."""
    past = timezone.now() - timedelta(hours=hours)
    Alert.objects.filter(closed_at=None).update(tell_at=past)
    AlertTelling.objects.filter(state="waiting").update(due_at=past)


def login_refused(team: Team, **fields: Any) -> Relay:
    return cast.a_relay(team, enabled=False, park_reason="auth_refused", **fields)


def stopped(relay: Relay, minutes: int, ago: int = 0) -> None:
    at = timezone.now() - timedelta(minutes=ago)
    until = at + timedelta(minutes=minutes)
    RelayPark.objects.create(team=relay.team, relay=relay, at=at, until=until, reason="ratelimited")
    Relay.objects.filter(pk=relay.pk).update(parked_until=until, park_reason="ratelimited")

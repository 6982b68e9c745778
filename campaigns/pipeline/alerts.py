"""Alerts: one row a cause while it lasts, and a telling for each channel that wants to hear of it.

Whoever finds trouble calls `raise_alert`, and `close_alert` when it is over; `alert_watch` does so for
everything that rows show by themselves. Neither sends anything: `alert_tell` does, from the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from campaigns.models import Alert, AlertChannel, AlertTelling
from campaigns.models.alert import AlertKind, TellingOccasion, TellingState
from campaigns.models.signals import announce

# What is often over by itself is told only if it lasts.
PATIENCE = {
    AlertKind.MAILBOX: timedelta(minutes=15),
    AlertKind.NO_RELAY: timedelta(minutes=5),
    AlertKind.IN_DOUBT: timedelta(minutes=2),
}
# What still lasts is told again.
AGAIN = timedelta(hours=6)


def raise_alert(
    team_id: int,
    kind: AlertKind,
    *,
    subject: str = "",
    subject_id: int = 0,
    params: Mapping[str, Any] | None = None,
) -> Alert:
    """The open alert of this cause, new or seen once more.

    `params` hold numbers, codes and names of relays and the like: never an address, a subject line or
    anything of a message. `subject`: relay, campaign, mailbox, domain, or "".
    """
    cause = {"team_id": team_id, "kind": kind, "subject": subject, "subject_id": subject_id}
    now = timezone.now()
    seen = {"last_at": now, "count": F("count") + 1, "params": dict(params or {})}
    opened = Alert.objects.filter(**cause, closed_at=None)
    if not opened.update(**seen):
        try:
            with transaction.atomic():
                Alert.objects.create(
                    **cause,
                    params=dict(params or {}),
                    first_at=now,
                    last_at=now,
                    tell_at=now + PATIENCE.get(kind, timedelta()),
                )
                announce("tell_alerts")
        except IntegrityError:  # another worker found it in the same moment
            opened.update(**seen)
    return opened.get()


def close_alert(team_id: int, kind: AlertKind, *, subject: str = "", subject_id: int = 0) -> bool:
    """The cause is over; those who heard of it hear that too. False where no alert was open."""
    row = Alert.objects.filter(
        team_id=team_id, kind=kind, subject=subject, subject_id=subject_id, closed_at=None
    ).first()
    return row is not None and close(row)


def close(alert: Alert) -> bool:
    with transaction.atomic():
        if not Alert.objects.filter(pk=alert.pk, closed_at=None).update(closed_at=timezone.now()):
            return False
        told = AlertTelling.objects.filter(alert=alert)
        heard = told.filter(state=TellingState.SENT).values("channel")
        told.filter(state=TellingState.WAITING).update(
            state=TellingState.SKIPPED, result="over_already", ended_at=timezone.now()
        )
        _tell(alert, TellingOccasion.OVER, AlertChannel.objects.filter(pk__in=heard))
        announce("tell_alerts")
    return True


def queue_due() -> None:
    """A telling for each channel, of what is new and of what still lasts."""
    now = timezone.now()
    for alert in Alert.objects.filter(closed_at=None, tell_at__lte=now):
        with transaction.atomic():
            mine = Alert.objects.filter(pk=alert.pk, closed_at=None, told=alert.told)
            if mine.update(told=F("told") + 1, tell_at=now + AGAIN):
                occasion = TellingOccasion.LASTS if alert.told else TellingOccasion.BEGAN
                _tell(alert, occasion, AlertChannel.objects.filter(team=alert.team_id))


def _tell(alert: Alert, occasion: TellingOccasion, channels: Any) -> None:
    AlertTelling.objects.bulk_create(
        [
            AlertTelling(
                team_id=alert.team_id,
                channel=channel,
                alert=alert,
                occasion=occasion,
                number=alert.told,
            )
            for channel in channels.filter(enabled=True).defer("url", "secret", "ca_pem")
            if alert.kind in channel.events
        ],
        ignore_conflicts=True,
    )


def ask_for_test(channel: AlertChannel) -> AlertTelling:
    """One test message to this channel, or the one that waits already."""
    waiting = AlertTelling.objects.filter(
        channel=channel, occasion=TellingOccasion.TEST, state=TellingState.WAITING
    ).first()
    if waiting is not None:
        return waiting
    telling = AlertTelling.objects.create(
        team_id=channel.team_id, channel=channel, occasion=TellingOccasion.TEST
    )
    announce("tell_channel", channel.pk)
    return telling

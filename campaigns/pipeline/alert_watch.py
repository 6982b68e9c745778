"""Watch: what the rows show to be wrong now becomes alerts, and what is over closes them (once a minute)."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone

from accounts.models import BounceMailbox, Relay
from campaigns.models import (
    Alert,
    AlertChannel,
    AlertTelling,
    Campaign,
    CampaignCount,
    CampaignRelay,
    CampaignStop,
    DomainCheck,
    Heartbeat,
    HeldSuppression,
    RelayPark,
)
from campaigns.models.alert import AlertKind
from campaigns.models.campaign import CampaignState, Hold
from campaigns.models.delivery import DeliveryState
from campaigns.pipeline.alerts import close, queue_due, raise_alert

log = logging.getLogger(__name__)

BEAT = "alerts"
# The watch runs each minute: a longer gap means that worker or beat was not there.
GAP = timedelta(minutes=5)
# A stop of this length is worth a word, and so are this many in the time.
LONG_STOP = timedelta(hours=1)
MANY_STOPS, STOPS_WITHIN = 4, timedelta(hours=6)
# How long what is over is shown.
KEPT = timedelta(days=180)
# A running campaign without a relay for this long.
NO_RELAY_FOR = timedelta(minutes=30)
DISK_FREE_SHARE, DISK_FREE_BYTES = 0.05, 1024**3

LIVE = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.SCHEDULED)
# A release that is waited for, or a countdown, is no trouble.
HELD = (Hold.LATE_START, Hold.RESTORED_COPY, Hold.STOP_RULE, Hold.CONTENT_VERDICT)


class Cause(NamedTuple):
    """What tells one alert from another."""

    team_id: int
    kind: str
    subject: str = ""
    subject_id: int = 0


Causes = Iterator[tuple[Cause, dict[str, Any]]]


def watch() -> None:
    """Raises, closes, and queues what is to be told."""
    gap = _beat()
    found = dict(_causes(gap))
    known = {
        Cause(row.team_id, row.kind, row.subject, row.subject_id): row
        for row in Alert.objects.filter(closed_at=None, kind__in=WATCHED)
    }
    for cause, params in found.items():
        row = known.get(cause)
        if row is None or row.params != params:
            raise_alert(
                cause.team_id,
                AlertKind(cause.kind),
                subject=cause.subject,
                subject_id=cause.subject_id,
                params=params,
            )
    still = [row.pk for cause, row in known.items() if cause in found]
    Alert.objects.filter(pk__in=still).update(last_at=timezone.now())
    for cause, row in known.items():
        if cause not in found:
            close(row)
    queue_due()


def last_beat() -> datetime | None:
    """When the watch last ran; None where it never did."""
    return Heartbeat.objects.filter(name=BEAT).values_list("at", flat=True).first()


def _beat() -> timedelta:
    """Notes that we run; how long nobody did."""
    now, before = timezone.now(), last_beat()
    Heartbeat.objects.update_or_create(name=BEAT, defaults={"at": now})
    if before is None or before.hour != now.hour:
        _forget(now)
    return now - before if before else timedelta()


def _forget(now: datetime) -> None:
    """What was over long ago."""
    Alert.objects.filter(closed_at__lt=now - KEPT).delete()
    AlertTelling.objects.filter(alert=None, ended_at__lt=now - KEPT).delete()
    RelayPark.objects.filter(until__lt=now - KEPT).delete()


def _causes(gap: timedelta) -> Causes:
    stops = _stops()
    yield from _relays(stops)
    yield from _campaigns(stops)
    yield from _doubts()
    yield from _mailboxes()
    yield from _domains()
    yield from _held_suppressions()
    yield from _installation(gap)


WATCHED = (
    AlertKind.RELAY_LOGIN,
    AlertKind.RELAY_PARKED,
    AlertKind.NO_RELAY,
    AlertKind.CAMPAIGN_HELD,
    AlertKind.IN_DOUBT,
    AlertKind.MAILBOX,
    AlertKind.DNS,
    AlertKind.SUPPRESSIONS,
    AlertKind.WORKERS,
    AlertKind.DISK,
)


def _held_suppressions() -> Causes:
    """Above the hour's cap, addresses wait for a person (suppress.py)."""
    rows = HeldSuppression.objects.values_list("team").annotate(Count("pk")).order_by("team")
    for team, number in rows:
        yield Cause(team, AlertKind.SUPPRESSIONS), {"number": number}


def _stops() -> list[RelayPark]:
    """The stops of the last day, oldest first."""
    since = timezone.now() - timedelta(days=1)
    return list(RelayPark.objects.filter(at__gte=since).order_by("at"))


def _relays(stops: list[RelayPark]) -> Causes:
    now = timezone.now()
    disabled = Relay.objects.filter(enabled=False).exclude(park_reason="")
    for pk, team, name, reason in disabled.values_list("pk", "team_id", "name", "park_reason"):
        yield (
            Cause(team, AlertKind.RELAY_LOGIN, "relay", pk),
            {"name": name, "reason": reason},
        )
    number = Counter(stop.relay_id for stop in stops if stop.at >= now - STOPS_WITHIN)
    often = {pk for pk, times in number.items() if times >= MANY_STOPS}
    long = _stopped_for(stops, LONG_STOP)
    rows = Relay.objects.filter(pk__in=often | long, enabled=True)
    for relay in rows.defer("secret", "ca_pem"):
        is_parked = relay.parked_until is not None and relay.parked_until > now
        if relay.pk in often or is_parked:
            yield (
                Cause(relay.team_id, AlertKind.RELAY_PARKED, "relay", relay.pk),
                {
                    "name": relay.name,
                    "reason": relay.park_reason,
                    "until": relay.parked_until.isoformat() if relay.parked_until else "",
                    "stops": number[relay.pk],
                },
            )


def _stopped_for(stops: list[RelayPark], span: timedelta) -> set[int]:
    """Relays that stand still now, by a stop of at least this length."""
    now = timezone.now()
    return {stop.relay_id for stop in stops if stop.until > now and stop.until - stop.at >= span}


def _campaigns(stops: list[RelayPark]) -> Causes:
    held = Campaign.objects.filter(state__in=LIVE, hold_reason__in=HELD)
    for campaign in held.only("team_id", "kind", "name", "hold_reason"):
        yield (
            Cause(campaign.team_id, AlertKind.CAMPAIGN_HELD, "campaign", campaign.pk),
            _about(campaign) | {"hold": campaign.hold_reason},
        )
    partly = CampaignStop.objects.filter(
        lifted_at=None, campaign__state__in=LIVE, campaign__hold_reason=""
    ).select_related("campaign")
    for stop in partly:
        yield (
            Cause(stop.team_id, AlertKind.CAMPAIGN_HELD, "campaign", stop.campaign_id),
            _about(stop.campaign) | {"hold": Hold.STOP_RULE.value},
        )
    yield from _without_relay(_stopped_for(stops, NO_RELAY_FOR))


def _without_relay(stopped: set[int]) -> Causes:
    """Running campaigns, none of whose relays sends for some time to come."""
    now = timezone.now()
    running = list(
        Campaign.objects.filter(state=CampaignState.RUNNING, hold_reason="").only(
            "team_id", "kind", "name", "relay_id"
        )
    )
    carriers: dict[int, set[int]] = {}
    for campaign, relay in CampaignRelay.objects.filter(campaign__in=running).values_list(
        "campaign_id", "relay_id"
    ):
        carriers.setdefault(campaign, set()).add(relay)
    wanted = {pk for row in running for pk in carriers.get(row.pk, {row.relay_id})}
    idle = Q(enabled=False) | Q(pk__in=stopped, parked_until__gt=now)
    away = set(Relay.objects.filter(idle, pk__in=wanted).values_list("pk", flat=True))
    for campaign in running:
        if carriers.get(campaign.pk, {campaign.relay_id}) <= away:
            yield (
                Cause(campaign.team_id, AlertKind.NO_RELAY, "campaign", campaign.pk),
                _about(campaign),
            )


def _doubts() -> Causes:
    rows = CampaignCount.objects.filter(state=DeliveryState.IN_DOUBT, number__gt=0)
    for row in rows.select_related("campaign"):
        yield (
            Cause(row.team_id, AlertKind.IN_DOUBT, "campaign", row.campaign_id),
            _about(row.campaign) | {"number": row.number},
        )


def _mailboxes() -> Causes:
    rows = BounceMailbox.objects.filter(enabled=True).exclude(last_error="")
    for pk, team, name, error in rows.values_list("pk", "team_id", "name", "last_error"):
        yield Cause(team, AlertKind.MAILBOX, "mailbox", pk), {"name": name, "reason": error}


def _domains() -> Causes:
    rows = DomainCheck.objects.filter(alarm_at__isnull=False)
    for pk, team, domain, relay in rows.values_list("pk", "team_id", "domain", "relay__name"):
        yield Cause(team, AlertKind.DNS, "domain", pk), {"domain": domain, "name": relay}


def _installation(gap: timedelta) -> Causes:
    """What is no team's: told to every team that has a channel for it."""
    found: dict[str, dict[str, Any]] = {}
    if gap > GAP:
        found[AlertKind.WORKERS] = {"minutes": int(gap.total_seconds() // 60)}
    if full := _disk():
        found[AlertKind.DISK] = full
    if found:
        channels = AlertChannel.objects.filter(enabled=True)
        for team, events in channels.values_list("team_id", "events"):
            for kind in set(events) & set(found):
                yield Cause(team, kind), found[kind]


def _disk() -> dict[str, Any]:
    """Of this machine; {} while there is room, or where nobody can tell."""
    try:
        usage = shutil.disk_usage(settings.BASE_DIR)
    except OSError:
        return {}
    if usage.free > max(DISK_FREE_BYTES, 0) and usage.free > usage.total * DISK_FREE_SHARE:
        return {}
    return {"percent": round(100 * usage.free / usage.total)}


def _about(campaign: Campaign) -> dict[str, Any]:
    """A payslip campaign by its number alone: its name may say whom it concerns."""
    return {"campaign": "" if campaign.is_payslip else campaign.name, "id": campaign.pk}

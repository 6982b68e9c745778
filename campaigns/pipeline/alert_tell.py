"""Tell: what waits for a channel goes out as one message; the rows say what became of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone, translation

from accounts.models import Relay
from accounts.secrets import SecretUnreadable
from campaigns.alert_texts import message, subject
from campaigns.mailer.https import PostFailure, post
from campaigns.mailer.robots import (
    FOR_GOOD,
    PAUSE,
    Robot,
    fits,
    number_of,
    robot_post,
    trouble_of,
)
from campaigns.models import Alert, AlertChannel, AlertTelling, Campaign, CampaignRelay
from campaigns.models.alert import ChannelKind, TellingOccasion, TellingState
from campaigns.pipeline.alert_mail import MailFailure, send_mail

log = logging.getLogger(__name__)

# Longer than one message may take.
LEASE = timedelta(minutes=5)
# Alerts that go into one message; the rest goes with the next.
AT_ONCE = 8
# After each failure; then it is given up. A test is answered at once.
PAUSES = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 240))
SECONDS = 15.0


class Result(NamedTuple):
    """`code` "" is success; `answer`: a robot's number."""

    code: str = ""
    answer: int | None = None
    for_good: bool = False


def waiting() -> list[int]:
    """Ids of channels to which something is to be told now."""
    now = timezone.now()
    free = Q(channel__busy_until=None) | Q(channel__busy_until__lte=now)
    rows = AlertTelling.objects.filter(free, state=TellingState.WAITING, due_at__lte=now)
    return list(rows.order_by().values_list("channel_id", flat=True).distinct())


def tell(channel_id: int) -> None:
    """Sends one message, unless another worker is at this channel or it needs a pause. Raises nothing."""
    now = timezone.now()
    mine = AlertChannel.objects.filter(pk=channel_id)
    free = Q(busy_until=None) | Q(busy_until__lte=now)
    if not mine.filter(free).update(busy_until=now + LEASE):
        return
    try:
        _tell_due(channel_id)
    except Exception as error:
        # The class alone: an error's text might quote the address, whose token is a secret.
        log.error("Alert channel %s broke off: %s", channel_id, type(error).__name__)
    finally:
        mine.update(busy_until=timezone.now() + timedelta(seconds=PAUSE))


def _tell_due(channel_id: int) -> None:
    rows = list(_due(channel_id))
    if not rows:
        return
    try:
        channel = AlertChannel.objects.select_related("team").get(pk=channel_id)
    except SecretUnreadable:
        _end(rows, Result("secret_unreadable", for_good=True))
        return
    told = []
    for row in rows:
        why_not = _why_not(channel, row)
        if why_not:
            _mark([row], state=TellingState.SKIPPED, result=why_not)
        else:
            told.append(row)
    if told:
        with translation.override(channel.language), timezone.override(channel.team.zone):
            while len(told) > 1 and not fits(_text(channel, told)):
                told.pop()  # goes with the next message
            outcome = _send(channel, _text(channel, told), subject(_said(told)))
        _end(told, outcome)


def _said(rows: list[AlertTelling]) -> list[tuple[str, Alert | None]]:
    return [(row.occasion, row.alert) for row in rows]


def _text(channel: AlertChannel, rows: list[AlertTelling]) -> str:
    return message(channel.team.name, _said(rows))


def _due(channel_id: int) -> QuerySet[AlertTelling]:
    return (
        AlertTelling.objects.filter(
            channel=channel_id, state=TellingState.WAITING, due_at__lte=timezone.now()
        )
        .select_related("alert")
        .order_by("pk")[:AT_ONCE]
    )


def _why_not(channel: AlertChannel, row: AlertTelling) -> str:
    """A broken relay must not be the way on which one hears that it is broken."""
    if channel.kind == ChannelKind.EMAIL and row.alert is not None and channel.relay_id:
        return "same_relay" if channel.relay_id in _relays_of(row.alert) else ""
    return ""


def _relays_of(alert: Alert) -> set[int]:
    """The relays that an alert is about, while they are the trouble."""
    if not alert.is_open:
        return set()
    if alert.subject == "relay":
        return {alert.subject_id}
    if alert.kind != "no_relay":
        return set()
    carriers = CampaignRelay.objects.filter(campaign=alert.subject_id).values("relay")
    single = Campaign.objects.filter(pk=alert.subject_id).values("relay")
    rows = Relay.objects.filter(Q(pk__in=carriers) | Q(pk__in=single))
    return set(rows.values_list("pk", flat=True))


def _send(channel: AlertChannel, text: str, title: str) -> Result:
    try:
        if channel.kind == ChannelKind.EMAIL:
            send_mail(channel, title, text)
            return Result()
        return _to_robot(channel, text)
    except PostFailure as failure:
        return Result(failure.reason)
    except MailFailure as failure:
        return Result(failure.reason)
    except SecretUnreadable:
        return Result("secret_unreadable", for_good=True)


def _to_robot(channel: AlertChannel, text: str) -> Result:
    robot = Robot(channel.kind)
    what = robot_post(robot, str(channel.url), str(channel.secret), text, now=time.time())
    answer = post(
        what.url,
        what.octets,
        headers={"Content-Type": "application/json; charset=utf-8"},
        allow_private=channel.internal_allowed,
        ca_pem=channel.ca_pem or None,
        seconds=SECONDS,
    )
    trouble = trouble_of(robot, answer)
    if trouble is None:
        return Result(answer=0)
    return Result(str(trouble), number_of(robot, answer), trouble in FOR_GOOD)


def _end(rows: Iterable[AlertTelling], result: Result) -> None:
    for row in rows:
        if not result.code:
            _mark([row], state=TellingState.SENT, result="", answer=result.answer)
            continue
        last = result.for_good or row.tries >= len(PAUSES)
        if last or row.occasion == TellingOccasion.TEST:
            _mark([row], state=TellingState.FAILED, result=result.code, answer=result.answer)
        else:
            AlertTelling.objects.filter(pk=row.pk, state=TellingState.WAITING).update(
                tries=row.tries + 1,
                due_at=timezone.now() + PAUSES[row.tries],
                result=result.code,
                answer=result.answer,
            )


def _mark(rows: list[AlertTelling], **values: object) -> None:
    AlertTelling.objects.filter(pk__in=[row.pk for row in rows], state=TellingState.WAITING).update(
        ended_at=timezone.now(), **values
    )

"""Webhook: what a provider tells us over HTTP is kept at once, and read by a worker.

A call is believed for its signature, and only from the topic that was pinned when the first one was
confirmed. What it then says of a message is matched as every report is: by the provider's own id of
the message together with its recipient.

A provider is a Reader: `ses` is the first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Protocol

from django.db import transaction
from django.utils import timezone

from campaigns.mailer import https, sns
from campaigns.mailer.bounce import Report, read_event
from campaigns.models import Webhook, WebhookEvent
from campaigns.models.signals import announce
from campaigns.models.webhook import EventState, Provider
from campaigns.pipeline.recording import Source, apply, judge

log = logging.getLogger(__name__)

# Calls of one webhook that wait; more is a flood, and the provider tries again later.
MOST_WAITING = 20_000
BATCH = 200
TRIES = 8
# Read calls are kept so long, to know the same one again.
REMEMBERED = timedelta(days=3)


@dataclass(frozen=True)
class Told:
    """`reports`: what the call says of messages. `confirms`: the topic asks to be confirmed."""

    id: str
    topic: str
    reports: tuple[Report, ...] = ()
    confirms: bool = False


class Away(Exception):
    """Something that the call needs could not be fetched: it is read again later."""


class Reader(Protocol):
    """One provider's way to call. Raises sns.NotBelieved and Away."""

    def __call__(self, body: bytes, *, topic: str) -> Told: ...


def _ses(body: bytes, *, topic: str) -> Told:
    """Amazon SES over SNS; `topic` is the pinned one, "" before."""
    call = sns.read_call(body)
    if topic and call.topic != topic:
        raise sns.NotBelieved("topic")
    try:
        certificate = _certificate(call.certificate_url)
    except https.PostFailure as failure:
        raise Away(failure.reason) from failure
    sns.verify(call, certificate, now=timezone.now())
    if call.kind == "SubscriptionConfirmation":
        try:
            answer = https.get(call.subscribe_url)
        except https.PostFailure as failure:
            raise Away(failure.reason) from failure
        if answer.status != 200:
            raise Away("status")
        return Told(call.id, call.topic, confirms=True)
    if not topic:
        raise sns.NotBelieved("topic")  # a message before anybody subscribed
    report = read_event(call.message) if call.kind == "Notification" else None
    return Told(call.id, call.topic, (report,) if report else ())


@lru_cache(maxsize=32)
def _certificate(url: str) -> bytes:
    """Amazon changes them once in a year or so."""
    answer = https.get(url)
    if answer.status != 200:
        raise https.PostFailure("protocol")
    return answer.body


READERS: dict[str, Callable[..., Told]] = {Provider.SES: _ses}


def receive(token: str, body: bytes) -> bool | None:
    """Keeps a call; None for an address that is not there, False where too many wait."""
    webhook = Webhook.objects.filter(token=token).first()
    if webhook is None:
        return None
    waiting = WebhookEvent.objects.filter(webhook=webhook, state=EventState.WAITING)
    if waiting.count() >= MOST_WAITING:
        return False
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    with transaction.atomic():
        WebhookEvent.objects.create(team_id=webhook.team_id, webhook=webhook, body=text)
        announce("read_events", None)
    return True


def read_waiting() -> None:
    """Reads what waits, in the order in which it came; forgets what was read long ago."""
    due = WebhookEvent.objects.filter(state=EventState.WAITING, due_at__lte=timezone.now())
    for pk in list(due.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        read(pk)
    WebhookEvent.objects.exclude(state=EventState.WAITING).filter(
        received_at__lt=timezone.now() - REMEMBERED
    ).delete()


def is_waiting() -> bool:
    return WebhookEvent.objects.filter(
        state=EventState.WAITING, due_at__lte=timezone.now()
    ).exists()


def read(event_id: int) -> None:
    """Reads one call. Two workers may: the second finds it done."""
    event = (
        WebhookEvent.objects.select_related("webhook")
        .filter(pk=event_id, state=EventState.WAITING)
        .first()
    )
    if event is None:
        return
    webhook = event.webhook
    try:
        told = READERS[webhook.provider](str(event.body).encode(), topic=webhook.topic)
        _take(event, told)
    except sns.NotBelieved as failure:
        _refuse(event, f"webhook_{failure.reason}")
    except Away as failure:
        _later(event, str(failure))
    except Exception as error:
        # One call that nobody foresaw must not keep all others, of every team, waiting behind it.
        _later(event, type(error).__name__)


def _take(event: WebhookEvent, told: Told) -> None:
    """In one transaction: the call is done, and everything that it says is written."""
    source = Source(event.team_id, exclusive=True)
    judged = [judge(source, report) for report in told.reports]
    now = timezone.now()
    with transaction.atomic():
        Webhook.objects.select_for_update().get(pk=event.webhook_id)
        known = WebhookEvent.objects.filter(webhook=event.webhook_id, external_id=told.id)
        if known.exists():
            _end(event, EventState.DONE)
            return
        if not _end(event, EventState.DONE, external_id=told.id):
            return
        for found in judged:
            apply(found)
        mine = Webhook.objects.filter(pk=event.webhook_id)
        if told.confirms:
            mine.filter(topic="").update(topic=told.topic, confirmed_at=now)
        mine.update(last_event_at=now, last_refusal="", last_refusal_at=None)


def _end(event: WebhookEvent, state: EventState, **more: str) -> bool:
    """Its text is not needed any more."""
    waits = WebhookEvent.objects.filter(pk=event.pk, state=EventState.WAITING)
    return bool(waits.update(state=state, body="", **more))


def _refuse(event: WebhookEvent, reason: str) -> None:
    if _end(event, EventState.REFUSED):
        Webhook.objects.filter(pk=event.webhook_id).update(
            last_refusal=reason, last_refusal_at=timezone.now()
        )


def _later(event: WebhookEvent, reason: str) -> None:
    log.warning("Call %s of a webhook could not be checked: %s", event.pk, reason)
    if event.tries + 1 >= TRIES:
        _refuse(event, "webhook_unchecked")
        return
    WebhookEvent.objects.filter(pk=event.pk).update(
        tries=event.tries + 1, due_at=timezone.now() + timedelta(seconds=30 * 2**event.tries)
    )

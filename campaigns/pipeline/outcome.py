"""Outcome: what an attempt came to, committed together with the `sending` of the next delivery.

One commit for all connections of a batch that have something to record at that moment. An outcome
that cannot be committed is retried until it is, and those connections send nothing meanwhile.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import Q
from django.utils import timezone

from accounts.models import Relay
from campaigns.mailer.remote_id import remote_id
from campaigns.mailer.reply import Outcome, Phase, Reply, Scope, Verdict
from campaigns.mailer.retry import next_try
from campaigns.models import Attempt, Claim, Delivery, RelayPark
from campaigns.models.alert import AlertKind
from campaigns.models.campaign import InDoubtPolicy
from campaigns.models.delivery import OPEN, DeliveryState
from campaigns.pipeline.alerts import raise_alert
from campaigns.pipeline.message_commit import Values, write
from campaigns.pipeline.park_length import park_length
from campaigns.pipeline.suppress import suppress_refused
from campaigns.pipeline.written_outcomes import WrittenOutcomes

log = logging.getLogger(__name__)
_rng = random.SystemRandom()
T = TypeVar("T")
# Restarting, gone, out of disk space, or a standby that was made the server (read only): all pass.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)


@dataclass(frozen=True, slots=True)
class Tried:
    """One SMTP transaction: how far it came, what was answered, what that means."""

    delivery: Delivery
    phase: Phase
    verdict: Verdict
    reply: Reply | None
    started_at: datetime
    content_began: bool

    @property
    def after(self) -> tuple[DeliveryState, datetime]:
        """The state that follows and, for an open one, when it is due."""
        return _after(self)


def _after(tried: Tried) -> tuple[DeliveryState, datetime]:
    now, delivery = timezone.now(), tried.delivery
    policy = delivery.campaign.in_doubt_policy
    match tried.verdict.outcome:
        case Outcome.ACCEPTED:
            return DeliveryState.ACCEPTED, now
        case Outcome.REFUSED:
            return DeliveryState.REFUSED, now
        case Outcome.IN_DOUBT if policy == InDoubtPolicy.ACCEPT:
            return DeliveryState.ACCEPTED, now
        case Outcome.IN_DOUBT if policy == InDoubtPolicy.RESEND:
            return DeliveryState.QUEUED, now
        case Outcome.IN_DOUBT:
            return DeliveryState.IN_DOUBT, now
    delays = [timedelta(seconds=seconds) for seconds in delivery.relay.retry_seconds]
    tries = delivery.attempts + int(tried.verdict.counts_as_attempt)
    if not tried.verdict.counts_as_attempt:
        # The relay's trouble parks the relay, and the row may go as soon as that ends; a broken
        # connection parks nothing, so the row steps back lest it breaks the next one at once.
        if tried.verdict.scope is Scope.CONNECTION:
            return DeliveryState.DEFERRED, now + (tried.verdict.park_for or timedelta())
        return DeliveryState.QUEUED, now
    return DeliveryState.DEFERRED, now + next_try(
        tries,
        tried.verdict,
        delays=delays,
        rng=_rng,
        greylist_floor=min(delays[0], timedelta(minutes=5)),
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """What one connection must have committed before it goes on: the outcome of what it sent, if it
    has sent something, and the `sending` of what it sends next, if there is something."""

    claim: Claim
    tried: Tried | None
    following: Delivery | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """The state that was written ("" if nothing was tried), and whether the following may be sent."""

    state: str
    began: bool


def record(
    entries: Sequence[Entry], lead: Claim, written: WrittenOutcomes
) -> list[Recorded | Exception]:
    """Commits them together, trying again until it is done; what came of each.

    `lead` is the claim that took the rows. If the database takes them together for no reason of its
    own (one belongs to a team that was deleted just now), each is tried alone, and what a single one
    meets is in its place.
    """
    outcomes = [_values(entry, lead) if entry.tried else None for entry in entries]
    try:
        return list(_together(entries, outcomes, lead, written))
    except DatabaseError as error:
        if len(entries) == 1:
            return [error]
    return [result for entry in entries for result in record([entry], lead, written)]


def _together(
    entries: Sequence[Entry],
    outcomes: Sequence[Values | None],
    lead: Claim,
    written: WrittenOutcomes,
) -> list[Recorded]:
    values = [found for found in outcomes if found is not None]
    asked = 0

    def write_once() -> set[int]:
        nonlocal asked
        asked += 1
        # The commit may have reached the database, only its answer did not reach us.
        there = asked > 1 and bool(values) and _is_recorded(values[0])
        return _write([] if there else values, entries, lead, written)

    began = until_committed(write_once)
    return [
        Recorded(
            str(found["state"]) if found else "",
            entry.following is not None and entry.following.pk in began,
        )
        for entry, found in zip(entries, outcomes, strict=True)
    ]


def _is_recorded(values: Values) -> bool:
    return Attempt.objects.filter(
        delivery=values["id"], relay=values["relay"], started_at=values["started_at"]
    ).exists()


def _write(
    values: list[Values], entries: Sequence[Entry], lead: Claim, written: WrittenOutcomes
) -> set[int]:
    written.restore()
    following = [(entry.claim, entry.following) for entry in entries if entry.following]
    dead = [
        entry.tried.delivery
        for entry in entries
        if entry.tried is not None and entry.tried.verdict.permanent_address
    ]
    if dead:
        with transaction.atomic():
            began = write(values, following, lead, durable=True)
            for delivery in dead:
                suppress_refused(delivery)
        return began
    durable = not settings.ASYNC_NEWSLETTERS or any(map(_is_payslip, entries))
    began = write(values, following, lead, durable=durable)
    if not durable:
        written.add(values)
    return began


def _is_payslip(entry: Entry) -> bool:
    tried, following = entry.tried, entry.following
    return (tried is not None and tried.delivery.campaign.is_payslip) or (
        following is not None and following.campaign.is_payslip
    )


def _values(entry: Entry, lead: Claim) -> Values:
    """The row's fields and the Attempt's, as message_commit.py names them."""
    tried = entry.tried
    assert tried is not None
    delivery, reply, verdict = tried.delivery, tried.reply, tried.verdict
    state, due_at = tried.after
    text, sealed = _reply_text(delivery, reply)
    return {
        "id": delivery.pk,
        "claim": entry.claim.pk,
        "lead": lead.pk,
        "team": delivery.team_id,
        "relay": entry.claim.relay_id,
        "state": str(state),
        "counted": int(verdict.counts_as_attempt),
        "due_at": due_at,
        "reason": "" if state == DeliveryState.ACCEPTED else str(verdict.reason),
        "code": reply.code if reply else None,
        "enhanced": (reply.enhanced or "") if reply else "",
        "started_at": tried.started_at,
        "ended_at": timezone.now(),
        "phase": str(tried.phase),
        "outcome": str(verdict.outcome),
        "content_began": tried.content_began,
        "final": tried.content_began and state not in OPEN,
        "message_id": delivery.message_id,
        "text": text,
        "sealed": sealed,
        "remote": remote_id(reply.text) if reply and state == DeliveryState.ACCEPTED else "",
        "rule": verdict.rule,
    }


def _reply_text(delivery: Delivery, reply: Reply | None) -> tuple[str, bytes | None]:
    """A server may quote the content in its reply: a payslip's is sealed."""
    if reply is None:
        return "", None
    workbook = delivery.campaign.workbook
    if delivery.campaign.is_payslip and workbook is not None:
        return "", workbook.data_key.seal(reply.text.encode())
    return reply.text, None


def fail(claims: Sequence[Claim], delivery: Delivery, reason: str, detail: str) -> bool:
    """Ends a row of these claims, no content of which has left, for a cause of ours that `detail` names."""

    def write() -> bool:
        return bool(
            Delivery.objects.filter(
                pk=delivery.pk,
                claim__in=claims,
                state__in=OPEN,
            ).update(
                state=DeliveryState.FAILED,
                claim=None,
                reason=reason,
                detail=detail[:300],
                changed_at=timezone.now(),
            )
        )

    return until_committed(write)


def park(relay: Relay, verdict: Verdict) -> None:
    """Stops this relay alone, for as long as its reply asks (park_length.py); what needs a person, until
    one acts.

    Several workers may meet the same reply: the longest park stays.
    """
    now = timezone.now()
    why = {"park_reason": str(verdict.reason), "park_rule": verdict.rule}

    def write() -> None:
        mine = Relay.objects.filter(pk=relay.pk)
        until = now + park_length(relay, verdict, now)
        with transaction.atomic():
            if verdict.reason in _LOGIN and mine.filter(enabled=True).update(enabled=False, **why):
                _tell_of_login(relay, verdict)
            # Only the first of them makes it stop, and that stop is remembered.
            running = mine.filter(Q(parked_until=None) | Q(parked_until__lte=now))
            if running.update(parked_until=until, **why):
                RelayPark.objects.create(
                    team_id=relay.team_id,
                    relay=relay,
                    at=now,
                    until=until,
                    reason=str(verdict.reason),
                    rule=verdict.rule,
                )
            else:
                mine.exclude(parked_until__gt=until).update(parked_until=until, **why)

    until_committed(write)


def _tell_of_login(relay: Relay, verdict: Verdict) -> None:
    """At once: nothing goes through it until somebody has put it right."""
    raise_alert(
        relay.team_id,
        AlertKind.RELAY_LOGIN,
        subject="relay",
        subject_id=relay.pk,
        params={"name": relay.name, "reason": str(verdict.reason)},
    )


_LOGIN = {"auth_refused"}


def until_committed(write: Callable[[], T]) -> T:
    """Runs `write` until the database has committed it, however long the database is away."""
    pause = 0.2
    while True:
        try:
            return write()
        except DATABASE_AWAY:
            log.warning("The database did not take an outcome; it is tried again.")
            connection.close()
            time.sleep(pause)
            pause = min(pause * 2, 10)

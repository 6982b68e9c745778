"""Outcome: what an attempt came to, committed together with the `sending` of the next delivery.

One transaction per message. An outcome that cannot be committed is retried until it is, and the
connection sends nothing meanwhile.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import Relay
from campaigns.mailer.reply import Outcome, Phase, Reply, Scope, Verdict
from campaigns.mailer.retry import next_try
from campaigns.models import Attempt, Claim, Delivery
from campaigns.models.campaign import InDoubtPolicy
from campaigns.models.delivery import OPEN, DeliveryState
from campaigns.pipeline.claim import begin
from campaigns.pipeline.clock import stamp
from campaigns.pipeline.message_commit import Values, write
from campaigns.pipeline.suppress import suppress_refused
from campaigns.pipeline.written_outcomes import WrittenOutcomes

log = logging.getLogger(__name__)
_rng = random.SystemRandom()
T = TypeVar("T")
# Restarting, gone, out of disk space, or a standby that was made the server (read only): all pass.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)


@dataclass(frozen=True)
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


def record(
    claim: Claim, tried: Tried, following: Delivery | None, written: WrittenOutcomes
) -> tuple[str, bool]:
    """Commits this outcome and the following delivery's `sending`; retried until it is committed.

    Returns the state that was written and whether the following one may be sent.
    """
    asked = 0

    def write_once() -> tuple[str, bool]:
        nonlocal asked
        asked += 1
        if asked > 1 and _is_recorded(tried):
            # The commit reached the database, only its answer did not reach us.
            return tried.after[0], following is not None and begin(claim, following)
        return _record(claim, tried, following, written)

    return until_committed(write_once)


def _is_recorded(tried: Tried) -> bool:
    return Attempt.objects.filter(delivery=tried.delivery, started_at=tried.started_at).exists()


def _record(
    claim: Claim, tried: Tried, following: Delivery | None, written: WrittenOutcomes
) -> tuple[str, bool]:
    written.restore()
    state, due_at = tried.after
    values = _values(claim, tried, state, due_at)
    if tried.verdict.permanent_address:
        with transaction.atomic():
            began = write(claim, values, following, durable=True)
            suppress_refused(tried.delivery)
        return state, began
    durable = tried.delivery.campaign.is_payslip or not settings.ASYNC_NEWSLETTERS
    began = write(claim, values, following, durable=durable)
    if not durable:
        written.add(values)
    return state, began


def _values(claim: Claim, tried: Tried, state: DeliveryState, due_at: datetime) -> Values:
    delivery, reply, verdict = tried.delivery, tried.reply, tried.verdict
    now = stamp(timezone.now())
    code, enhanced = (reply.code, reply.enhanced or "") if reply else (None, "")
    text, sealed = _reply_text(delivery, reply)
    reason = "" if state == DeliveryState.ACCEPTED else str(verdict.reason)
    final = tried.content_began and state not in OPEN
    return (
        [
            str(state),
            int(verdict.counts_as_attempt),
            stamp(due_at),
            reason,
            code,
            enhanced,
            now,
            delivery.message_id,
            delivery.pk,
            claim.pk,
            final,
        ],
        [
            delivery.team_id,
            delivery.pk,
            claim.relay_id,
            stamp(tried.started_at),
            now,
            str(tried.phase),
            str(verdict.outcome),
            tried.content_began,
            code,
            enhanced,
            text,
            sealed,
            "",
        ],
    )


def _reply_text(delivery: Delivery, reply: Reply | None) -> tuple[str, bytes | None]:
    """A server may quote the content in its reply: a payslip's is sealed."""
    if reply is None:
        return "", None
    workbook = delivery.campaign.workbook
    if delivery.campaign.is_payslip and workbook is not None:
        return "", workbook.data_key.seal(reply.text.encode())
    return reply.text, None


def fail(claim: Claim, delivery: Delivery, reason: str, detail: str) -> bool:
    """Ends a claimed row, no content of which has left, for a cause of ours that `detail` names."""

    def write() -> bool:
        return bool(
            Delivery.objects.filter(
                pk=delivery.pk,
                claim=claim,
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
    """Stops this relay alone, for as long as its reply asks; what needs a person, until one acts.

    Several workers may meet the same reply: the longest park stays.
    """
    until = timezone.now() + (verdict.park_for or timedelta(minutes=1))

    def write() -> None:
        mine = Relay.objects.filter(pk=relay.pk)
        if verdict.reason in _LOGIN:
            mine.update(enabled=False, park_reason=str(verdict.reason))
        mine.exclude(parked_until__gt=until).update(
            parked_until=until, park_reason=str(verdict.reason)
        )

    until_committed(write)


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

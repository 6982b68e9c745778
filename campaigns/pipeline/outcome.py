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

from django.db import InterfaceError, InternalError, OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import Relay
from campaigns.mailer.reply import Outcome, Phase, Reply, Scope, Verdict
from campaigns.mailer.retry import next_try
from campaigns.models import Claim, Delivery
from campaigns.models.campaign import InDoubtPolicy
from campaigns.models.delivery import OPEN, DeliveryState
from campaigns.pipeline.claim import begin
from campaigns.pipeline.clock import stamp
from campaigns.pipeline.suppress import suppress_refused

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


_END = """
UPDATE campaigns_delivery
SET state = %s, claim_id = NULL, attempts = attempts + %s, due_at = %s, reason = %s, code = %s,
    enhanced = %s, changed_at = %s
WHERE id = %s AND claim_id = %s AND state IN ('queued', 'deferred', 'sending', 'in_doubt')
"""
_ATTEMPT = """
INSERT INTO campaigns_attempt (team_id, delivery_id, relay_id, started_at, ended_at, phase, outcome,
    content_began, code, enhanced, text, sealed_text, remote_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def record(claim: Claim, tried: Tried, following: Delivery | None) -> tuple[str, bool]:
    """Commits this outcome and the following delivery's `sending`; retried until it is committed.

    Returns the state that was written and whether the following one may be sent.
    """
    return until_committed(lambda: _record(claim, tried, following))


def _record(claim: Claim, tried: Tried, following: Delivery | None) -> tuple[str, bool]:
    state, due_at = tried.after
    delivery, reply, now = tried.delivery, tried.reply, stamp(timezone.now())
    code, enhanced = (reply.code, reply.enhanced or "") if reply else (None, "")
    text, sealed = _reply_text(delivery, reply)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                _END,
                [
                    state,
                    int(tried.verdict.counts_as_attempt),
                    stamp(due_at),
                    "" if state == DeliveryState.ACCEPTED else str(tried.verdict.reason),
                    code,
                    enhanced,
                    now,
                    delivery.pk,
                    claim.pk,
                ],
            )
            cursor.execute(
                _ATTEMPT,
                [
                    delivery.team_id,
                    delivery.pk,
                    claim.relay_id,
                    stamp(tried.started_at),
                    now,
                    tried.phase,
                    tried.verdict.outcome,
                    tried.content_began,
                    code,
                    enhanced,
                    text,
                    sealed,
                    "",
                ],
            )
        if tried.verdict.permanent_address:
            suppress_refused(delivery)
        began = following is not None and begin(claim, following)
    return state, began


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

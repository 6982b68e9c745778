"""Send: a batch of a relay's deliveries over one kept connection (design.md, The claim, Pipelining).

Per message: render → MIME → DKIM → envelope → permit → `sending` committed → content and final dot
→ outcome committed together with the next one's `sending`. The next envelope follows the final dot,
so a line with a long round trip costs one round trip a message.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection as database
from django.utils import timezone

from accounts.models import Relay
from campaigns.mailer.reply import LinkFailure, Outcome, Phase, Reply, Scope, Verdict, classify
from campaigns.mailer.reply_rules import RULES
from campaigns.mailer.smtp import Connection
from campaigns.mailer.smtp_errors import ContentFailure, EnvelopeRefused, RelayFailure
from campaigns.models import Campaign, Claim, Delivery
from campaigns.models.campaign import Hold
from campaigns.models.delivery import DeliveryPurpose, DeliveryState
from campaigns.pipeline import counts
from campaigns.pipeline.claim import begin, close_claim, open_claim, renew, take
from campaigns.pipeline.compose import Composed, Composer, Unsendable
from campaigns.pipeline.ledger import Ledger, ledger
from campaigns.pipeline.outcome import DATABASE_AWAY, Tried, fail, park, record, until_committed
from campaigns.pipeline.permits import Permits
from campaigns.pipeline.relay_settings import relay_settings
from campaigns.pipeline.steady_ledger import LedgerAway
from campaigns.pipeline.written_outcomes import WrittenOutcomes

log = logging.getLogger(__name__)

# Connections that may break one after the other before the relay is parked.
PATIENCE = 3
# How old the counts on a progress page may be, in seconds.
FLUSH_SECONDS = 1.0
# A wait for a permit that is longer than this frees the worker: the relay rests instead.
LONGEST_WAIT = 5.0


def send_batch(relay_id: int, worker: str, stop: Callable[[], bool] = lambda: False) -> bool:
    """Works through one batch; True when there may be more to do at once.

    Raises nothing for a broken relay or row: the outcome is on the rows and on the relay. Once
    `stop` says so (the worker is asked to end), only the message in flight goes on to its outcome.
    """
    claim = open_claim(relay_id, worker)
    if claim is None:
        return False
    relay = Relay.objects.select_related("bounce_mailbox").get(pk=relay_id)
    with renewed(claim):
        batch = Batch(claim, relay, ledger(), stop)
        try:
            return batch.run()
        finally:
            batch.end()


@contextmanager
def renewed(claim: Claim) -> Iterator[None]:
    """Renews the lease from a thread of its own: a relay may take ten minutes for a final reply."""
    ended = threading.Event()

    def beat() -> None:
        try:
            while not ended.wait(settings.CLAIM_LEASE_SECONDS / 3):
                try:
                    if not renew(claim):
                        return
                except Exception:
                    log.warning("A claim's lease could not be renewed; it is tried again.")
                    database.close()
        finally:
            database.close()

    thread = threading.Thread(target=beat, name=f"lease-{claim.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@dataclass
class Ready:
    """A composed message with the permit to send it."""

    composed: Composed
    permit: str

    @property
    def delivery(self) -> Delivery:
        return self.composed.delivery


class Batch:
    """One claim's work: its deliveries, its connection, its permits."""

    def __init__(
        self, claim: Claim, relay: Relay, book: Ledger, stop: Callable[[], bool] = lambda: False
    ) -> None:
        self.claim, self.relay, self.book, self.stop = claim, relay, book, stop
        self.permits = Permits(book, relay, claim)
        self.composers: dict[int, Composer | Unsendable] = {}
        self.waiting: deque[Delivery] = deque()
        self.written = WrittenOutcomes(claim)
        self.changes: counts.Counts = {}
        self.flushed_at = time.monotonic()
        self.line: Connection | None = None
        self.on_line = 0
        self.broken = 0
        self.deadline = time.monotonic() + settings.BATCH_SECONDS
        self.stopped = False

    def run(self) -> bool:
        """Claims, then sends until the batch, its time or the relay's patience ends."""
        deliveries, self.changes = take(self.claim, self.relay, settings.CLAIM_BATCH)
        campaigns = Campaign.objects.select_related("workbook__data_key", "template").in_bulk(
            {delivery.campaign_id for delivery in deliveries}
        )
        for delivery in deliveries:
            delivery.campaign, delivery.relay = campaigns[delivery.campaign_id], self.relay
        self.waiting.extend(deliveries)
        while (current := self._next(patient=True)) is not None:
            begun = False
            while current is not None:
                current, begun = self._transaction(current, begun=begun)
        return bool(deliveries) and not self.stopped and not self.stop()

    def end(self) -> None:
        """Whatever happened: the connection closed, unused permits and rows given back."""
        if self.line is not None:
            self.line.quit()
        self.permits.settle()
        try:
            # First the permits: whoever dies in between leaves an open claim, which the sweep ends.
            self.book.close(self.relay.quota_group, str(self.claim.pk))
            until_committed(self._close_claim)
            # A rebuild of the ledger in between took the claim for an open one.
            self.book.close(self.relay.quota_group, str(self.claim.pk))
        except LedgerAway:
            log.warning("The quota ledger is away: claim %s ends with its lease.", self.claim.pk)
        self._flush()

    def _close_claim(self) -> None:
        """What a restart of the database took must be back before the rows are anybody's."""
        self.written.restore()
        close_claim(self.claim)

    # One SMTP transaction ------------------------------------------------------------------------

    def _transaction(self, current: Ready, *, begun: bool) -> tuple[Ready | None, bool]:
        """Sends one message. Returns the next one if its envelope went along with this one's dot.

        `begun`: this one's envelope is out, and its row was marked `sending` by the last commit.
        """
        began_at = timezone.now()
        try:
            line = self._line() if begun else self._start(current)
            go = line.go_ahead()
        except EnvelopeRefused as refusal:
            self._release(current)
            self._fail(current.delivery, str(refusal.reason), "")
            return None, False
        except RelayFailure as failure:
            self._no_answer(current, failure, began_at, begun=begun)
            return None, False
        if go.refused is not None:
            self._refused(current, *go.refused, began_at)
            return None, False
        if not begun and not until_committed(lambda: begin(self.claim, current.delivery)):
            # Paused, cancelled or expired since it was claimed: nothing of it leaves. The others are
            # most likely in the same case, and a new claim asks for all of them at once.
            self._drop_line()
            self._release(current)
            self.waiting.clear()
            return None, False
        return self._content(current, began_at)

    def _content(self, current: Ready, began_at: datetime) -> tuple[Ready | None, bool]:
        """Content and final dot, with the next envelope behind it; then the one commit of both."""
        line = self._line()
        following = self._next(patient=False) if self._room_on_line() else None
        cause: Reply | LinkFailure
        try:
            cause = line.content(
                current.composed.content, following.composed.envelope if following else None
            )
        except ContentFailure as failure:
            cause = failure.cause
        self.permits.replied(current.permit)
        self.on_line += 1
        self.broken = 0 if isinstance(cause, Reply) else self.broken
        verdict = classify(Phase.CONTENT, cause, RULES)
        reply = cause if isinstance(cause, Reply) else None
        goes_on = following if line.is_open and _harmless(verdict) else None
        tried = Tried(current.delivery, Phase.CONTENT, verdict, reply, began_at, True)
        began = self._record(tried, goes_on)
        self.permits.settle_some()
        self._heed(current, verdict)
        if following is None or began:
            return following, began
        # Its envelope may be accepted already: a bare dot would deliver an empty mail.
        self._drop_line()
        self._give_back(following)
        return None, False

    def _start(self, ready: Ready) -> Connection:
        """Sends an envelope over the kept or a new connection."""
        if self.line is not None and not self._room_on_line():
            self.line.quit()
            self.line = None
        line = self._line()
        line.start(ready.composed.envelope)
        return line

    def _no_answer(
        self, current: Ready, failure: RelayFailure, began_at: datetime, *, begun: bool
    ) -> None:
        """The link broke before this message's content: no try of the recipient is used up."""
        log.warning("Relay %s: %s", self.relay.pk, failure)
        verdict = classify(failure.phase, failure.cause, RULES)
        self.broken += 1
        if begun:
            self._release(current)
            tried = Tried(current.delivery, failure.phase, verdict, failure.reply, began_at, False)
            self._record(tried, None)
        else:
            self._give_back(current)
        self._drop_line()
        if verdict.scope is not Scope.CONNECTION or self.broken >= PATIENCE:
            park(self.relay, verdict)
            self.stopped = True

    def _refused(self, current: Ready, phase: Phase, reply: Reply, began_at: datetime) -> None:
        """No go-ahead: the content never began, so its permit is given back."""
        verdict = classify(phase, reply, RULES)
        self._release(current)
        self._record(Tried(current.delivery, phase, verdict, reply, began_at, False), None)
        self._heed(current, verdict)

    # What follows from a verdict -----------------------------------------------------------------

    def _heed(self, current: Ready, verdict: Verdict) -> None:
        """Parks the relay, ends the connection, or holds the campaign, as the reply asks."""
        if verdict.scope is Scope.RELAY:
            park(self.relay, verdict)
            self.stopped = True
        elif verdict.scope is Scope.CONTENT and verdict.outcome is Outcome.DEFERRED:
            self._hold(current.delivery)
        if verdict.scope in (Scope.RELAY, Scope.CONNECTION):
            self._drop_line()

    def _hold(self, delivery: Delivery) -> None:
        """The content was judged as spam: sending on would only harm the account."""
        until_committed(
            lambda: Campaign.objects.filter(pk=delivery.campaign_id, hold_reason="").update(
                hold_reason=Hold.CONTENT_VERDICT
            )
        )

    def _record(self, tried: Tried, following: Ready | None) -> bool:
        """Commits the outcome, and the next row's `sending`; True if the next one may go."""
        before = tried.delivery.state
        after = following.delivery if following else None
        state, began = record(self.claim, tried, after, self.written)
        self._changed(tried.delivery, before, state)
        return began

    def _fail(self, delivery: Delivery, reason: str, detail: str) -> None:
        before = delivery.state
        if fail(self.claim, delivery, reason, detail):
            self._changed(delivery, before, DeliveryState.FAILED)

    def _changed(self, delivery: Delivery, before: str, after: str) -> None:
        if delivery.purpose != DeliveryPurpose.TEST:
            counts.add(self.changes, delivery.campaign_id, before, after)
        if time.monotonic() - self.flushed_at > FLUSH_SECONDS:
            self._flush()

    def _flush(self) -> None:
        changes, self.changes = self.changes, {}
        self.flushed_at = time.monotonic()
        until_committed(lambda: counts.apply(changes))

    # Connection ----------------------------------------------------------------------------------

    def _line(self) -> Connection:
        """The kept connection, or a new one; raises RelayFailure."""
        if self.line is None or not self.line.is_open:
            self.line = Connection.open(relay_settings(self.relay))
            self.on_line = 0
        return self.line

    def _room_on_line(self) -> bool:
        """Whether one more message after this one may go over this connection."""
        limit = self.relay.per_connection
        return not limit or self.on_line + 1 < limit

    def _drop_line(self) -> None:
        if self.line is not None:
            self.line.abandon()
            self.line = None

    # The next message and its permit -------------------------------------------------------------

    def _next(self, *, patient: bool) -> Ready | None:
        """The next composed message with a permit; without patience only if it is there at once."""
        try:
            while self.waiting and not self._over():
                if not self._has_permit(patient=patient):
                    return None
                composed = self._compose(self.waiting.popleft())
                if composed is not None:
                    return Ready(composed, self.permits.take())
        except DATABASE_AWAY:
            # The message in flight still gets its outcome; the rest is freed with the claim.
            log.warning(
                "The database went away: claim %s begins no further message.", self.claim.pk
            )
            database.close()
            self.stopped = True
        return None

    def _over(self) -> bool:
        return self.stopped or self.stop() or time.monotonic() >= self.deadline

    def _compose(self, delivery: Delivery) -> Composed | None:
        """None when the row failed: the cause is on it, and the others go on."""
        composer = self.composers.get(delivery.campaign_id)
        if composer is None:
            composer = self.composers[delivery.campaign_id] = _composer(delivery, self.relay)
        try:
            if isinstance(composer, Unsendable):
                raise composer
            return composer.compose(delivery)
        except Unsendable as error:
            self._fail(delivery, error.reason, error.detail)
        except DATABASE_AWAY:
            raise  # no fault of the row
        except Exception as error:
            # A poison row must not stop the others; the class says enough, the text might quote it.
            log.error("Delivery %s could not be composed: %s", delivery.pk, type(error).__name__)
            self._fail(delivery, "compose", type(error).__name__)
        return None

    def _has_permit(self, *, patient: bool) -> bool:
        while not self.permits.at_hand and not self.stop():
            wait = self.permits.ask(len(self.waiting))
            if self.permits.at_hand or not patient:
                break
            if wait > LONGEST_WAIT or time.monotonic() > self.deadline:
                self._rest(wait)
                break
            time.sleep(wait + 0.002)
        return self.permits.at_hand

    def _rest(self, seconds: float) -> None:
        """The rate is used up for longer than a worker should wait."""
        self.stopped = True
        until = timezone.now() + timedelta(seconds=min(seconds, 3600))
        until_committed(lambda: Relay.objects.filter(pk=self.relay.pk).update(resting_until=until))

    def _release(self, ready: Ready) -> None:
        self.permits.release(ready.permit)

    def _give_back(self, ready: Ready) -> None:
        """To the front of the queue, with its permit: it is the next one again."""
        self.waiting.appendleft(ready.delivery)
        self.permits.put_back(ready.permit)


def _harmless(verdict: Verdict) -> bool:
    """Whether the next message may follow over the same connection."""
    return verdict.scope in (Scope.RECIPIENT, Scope.DOMAIN) or (
        verdict.scope is Scope.CONTENT and verdict.outcome is Outcome.REFUSED
    )


def _composer(delivery: Delivery, relay: Relay) -> Composer | Unsendable:
    try:
        return Composer(delivery.campaign, relay)
    except Unsendable as error:
        return error

"""Line: one connection of a batch and the claim that stands for it (design.md, Pipelining).

Per message: envelope → `sending` committed → content and final dot, with the next envelope behind it →
outcome committed together with the next one's `sending`. So a line with a long round trip costs one
round trip a message, and a worker that is killed leaves at most one message in doubt on each.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from campaigns.mailer.mx import Undeliverable
from campaigns.mailer.reply import (
    LinkFailure,
    Outcome,
    Phase,
    Reply,
    ReplyRule,
    Scope,
    Verdict,
    classify,
)
from campaigns.mailer.smtp import Connection
from campaigns.mailer.smtp_errors import ContentFailure, EnvelopeRefused, RelayFailure
from campaigns.models import Campaign, Claim
from campaigns.models.campaign import Hold
from campaigns.pipeline.line_loop import Background, Script, Until
from campaigns.pipeline.outcome import Entry, Recorded, Tried, until_committed
from campaigns.pipeline.park_domain import park_domain
from campaigns.pipeline.tally import Tally
from campaigns.pipeline.upcoming import Ready, Upcoming
from campaigns.pipeline.ways import way_of

log = logging.getLogger(__name__)

# Connections that may break one after the other before the relay is parked.
PATIENCE = 3
# A pause is looked at again after this (seconds): somebody may ask the worker to end.
LONGEST_PAUSE = 0.5

# What comes after a message: the next one, and whether its envelope is out and its row `sending`.
After = tuple[Ready | None, bool]


class Line:
    """Sends what `upcoming` hands out, until it hands out nothing more. `rules`: what replies mean."""

    def __init__(
        self, claim: Claim, upcoming: Upcoming, tally: Tally, rules: Sequence[ReplyRule]
    ) -> None:
        self.claim, self.relay, self._upcoming, self._tally = (
            claim,
            upcoming.relay,
            upcoming,
            tally,
        )
        self._rules = rules
        self._way = way_of(self.relay, claim)
        self._connection: Connection | None = None
        self._sent = 0
        self._broken = 0

    def fileno(self) -> int:
        """The socket's, for the loop's poll."""
        return self._connection.fileno() if self._connection else -1

    def script(self) -> Script:
        """What it does, for a LineLoop."""
        try:
            while (current := (yield from self._next())) is not None:
                begun = False
                while current is not None:
                    current, begun = yield from self._transaction(current, begun=begun)
            if self._connection is not None:
                yield from self._connection.quit_steps()
        finally:
            self._drop()

    def _next(self) -> Generator[Any, Any, Ready | None]:
        """The next message, waiting for its permit if need be."""
        while isinstance(found := self._upcoming.next(patient=True), float):
            yield Until(time.monotonic() + min(found, LONGEST_PAUSE))
        return found

    # One SMTP transaction ------------------------------------------------------------------------

    def _transaction(self, current: Ready, *, begun: bool) -> Generator[Any, Any, After]:
        """Sends one message. Returns the next one if its envelope went along with this one's dot.

        `begun`: this one's envelope is out, and its row was marked `sending` by the last commit.
        """
        began_at = timezone.now()
        try:
            if not begun:
                yield from self._start(current)
            go = yield from self._open_one().go_ahead_steps()
        except EnvelopeRefused as refusal:
            self._upcoming.release(current)
            self._upcoming.fail(current.delivery, str(refusal.reason), claim=self.claim)
            return None, False
        except Undeliverable as nowhere:
            yield from self._nowhere(current, nowhere.verdict, began_at)
            return None, False
        except RelayFailure as failure:
            yield from self._no_answer(current, failure, began_at, begun=begun)
            return None, False
        if go.refused is not None:
            yield from self._refused(current, *go.refused, began_at)
            return None, False
        if not begun:
            recorded: Recorded = yield Entry(self.claim, None, current.delivery)
            if not recorded.began:
                # Paused, cancelled or expired since it was claimed: nothing of it leaves. The others
                # are most likely in the same case, and a new claim asks for all of them at once.
                self._drop()
                self._upcoming.release(current)
                self._upcoming.ask_anew()
                return None, False
        return (yield from self._content(current, began_at))

    def _content(self, current: Ready, began_at: datetime) -> Generator[Any, Any, After]:
        """Content and final dot, with the next envelope behind it; then the one commit of both."""
        line = self._open_one()
        following = self._following()
        cause: Reply | LinkFailure
        try:
            cause = yield from line.content_steps(
                current.composed.content,
                following.composed.envelope if following else None,
                armour=current.composed.armour,
            )
        except ContentFailure as failure:
            cause = failure.cause
        self._sent += 1
        self._broken = 0 if isinstance(cause, Reply) else self._broken
        verdict = self._judged(Phase.CONTENT, cause)
        reply = cause if isinstance(cause, Reply) else None
        goes_on = following if line.is_open and _harmless(verdict) else None
        tried = Tried(current.delivery, Phase.CONTENT, verdict, reply, began_at, True)
        try:
            began = yield from self._record(tried, goes_on)
        finally:
            # Not before its Attempt is there: a ledger that is rebuilt in between would know of neither.
            self._upcoming.replied(current)
        self._upcoming.permits.settle_some()
        self._heed(current, verdict)
        if following is None or began:
            return following, began
        # Its envelope may be accepted already: a bare dot would deliver an empty mail.
        self._drop()
        self._upcoming.give_back(following)
        return None, False

    def _following(self) -> Ready | None:
        """The message whose envelope may go behind the next dot, if it is there at once."""
        found = self._upcoming.next(patient=False) if self._has_room() else None
        return found if isinstance(found, Ready) else None

    def _no_answer(
        self, current: Ready, failure: RelayFailure, began_at: datetime, *, begun: bool
    ) -> Script:
        """The link broke before this message's content: no try of the recipient is used up."""
        log.warning("Relay %s: %s", self.relay.pk, failure)
        verdict = self._judged(failure.phase, failure.cause)
        self._broken += 1
        if begun:
            self._upcoming.release(current)
            tried = Tried(current.delivery, failure.phase, verdict, failure.reply, began_at, False)
            yield from self._record(tried, None)
        else:
            self._upcoming.give_back(current)
        self._drop()
        if self._way.goes_on(failure):
            return
        if verdict.scope is not Scope.CONNECTION or self._broken >= PATIENCE:
            self._way.park(verdict)
            self._upcoming.end()

    def _nowhere(self, current: Ready, verdict: Verdict, began_at: datetime) -> Script:
        """The recipient's domain has no server to ask: an answer for this row, or a wait for the domain."""
        self._upcoming.release(current)
        tried = Tried(current.delivery, Phase.CONNECT, verdict, None, began_at, False)
        yield from self._record(tried, None)
        self._heed(current, verdict)

    def _refused(self, current: Ready, phase: Phase, reply: Reply, began_at: datetime) -> Script:
        """No go-ahead: the content never began, so its permit is given back."""
        verdict = self._judged(phase, reply)
        self._upcoming.release(current)
        yield from self._record(
            Tried(current.delivery, phase, verdict, reply, began_at, False), None
        )
        self._heed(current, verdict)

    def _record(self, tried: Tried, following: Ready | None) -> Generator[Any, Any, bool]:
        """Has the outcome, and the next row's `sending`, committed; True if the next one may go."""
        before = tried.delivery.state
        after = following.delivery if following else None
        recorded: Recorded = yield Entry(self.claim, tried, after)
        self._tally.add(tried.delivery, before, recorded.state)
        return recorded.began

    # What follows from a verdict -----------------------------------------------------------------

    def _judged(self, phase: Phase, cause: Reply | LinkFailure) -> Verdict:
        return self._way.judged(classify(phase, cause, self._rules))

    def _heed(self, current: Ready, verdict: Verdict) -> None:
        """Parks the relay or a domain on it, ends the connection, or holds the campaign, as the reply asks."""
        if verdict.scope is Scope.RELAY:
            self._way.park(verdict)
            self._upcoming.end()
        elif verdict.scope is Scope.DOMAIN and verdict.park_for:
            self._park_domain(current.delivery.domain, verdict, verdict.park_for)
        elif verdict.scope is Scope.CONTENT and verdict.outcome is Outcome.DEFERRED:
            _hold(current.delivery.campaign_id)
        if verdict.scope in (Scope.RELAY, Scope.CONNECTION):
            self._drop()

    def _park_domain(self, domain: str, verdict: Verdict, span: timedelta) -> None:
        """The others go on; an own rule says why in its maker's words."""
        own = next((rule for rule in self._rules if rule.key == verdict.rule), None)
        why, until = (own.sentence if own else "") or str(verdict.reason), timezone.now() + span
        until_committed(lambda: park_domain(self.relay, domain, until, why))
        self._upcoming.pass_over(domain)

    # Connection ----------------------------------------------------------------------------------

    def _start(self, ready: Ready) -> Script:
        """Sends an envelope over the kept connection, or over a new one."""
        line = self._connection
        limit = self.relay.per_connection
        if line is not None and limit and self._sent >= limit:
            yield from line.quit_steps()
        if line is None or not line.is_open:
            opened = yield Background(self._way.opener(), Connection.abandon)
            self._connection = line = opened
            self._sent = 0
        yield from line.start_steps(ready.composed.envelope)

    def _open_one(self) -> Connection:
        assert self._connection is not None
        return self._connection

    def _has_room(self) -> bool:
        """Whether one more message after this one may go over this connection."""
        limit = self.relay.per_connection
        return not limit or self._sent + 1 < limit

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None


def _hold(campaign_id: int) -> None:
    """The content was judged as spam: sending on would only harm the account."""
    until_committed(
        lambda: Campaign.objects.filter(pk=campaign_id, hold_reason="").update(
            hold_reason=Hold.CONTENT_VERDICT
        )
    )


def _harmless(verdict: Verdict) -> bool:
    """Whether the next message may follow over the same connection."""
    return verdict.scope in (Scope.RECIPIENT, Scope.DOMAIN) or (
        verdict.scope is Scope.CONTENT and verdict.outcome is Outcome.REFUSED
    )

"""Upcoming: which delivery of a batch goes next, and with which permit. The one place that decides it.

All lines of a batch take from here. Messages are composed ahead while replies are awaited; a permit is
taken when one is handed to a line, for it counts from then on. What its domain's limits do not let go
now is passed over, and the others go on.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.db import connection as database
from django.utils import timezone

from accounts.models import Relay
from campaigns.models import Claim, Delivery
from campaigns.models.delivery import DeliveryState
from campaigns.pipeline.compose import Composed, Composer, Draft, Unsendable
from campaigns.pipeline.domain_permits import DomainPermits
from campaigns.pipeline.outcome import DATABASE_AWAY, fail, until_committed
from campaigns.pipeline.permits import Permits
from campaigns.pipeline.tally import Tally

log = logging.getLogger(__name__)
A = TypeVar("A")
T = TypeVar("T")

# A wait for a permit that is longer than this frees the worker: the relay rests instead.
LONGEST_WAIT = 5.0
# So many messages are composed together where they may go at once, for so many seconds.
BURST = 48
LONGEST_BURST = 0.01
# What is composed ahead holds so many octets at most.
MOST_AHEAD = 8 * 1024 * 1024
# With so many passed over, nothing more is claimed: others may have what they keep from this batch.
MOST_PASSED = 200


@dataclass(slots=True)
class Ready:
    """A composed message with the permit to send it."""

    composed: Composed
    permit: str

    @property
    def delivery(self) -> Delivery:
        return self.composed.delivery


class Upcoming:
    """`claim` is the one that takes the rows; `take` claims more, an empty list when there are none."""

    def __init__(
        self,
        claim: Claim,
        permits: tuple[Permits, DomainPermits],
        tally: Tally,
        take: Callable[[], list[Delivery]],
        stop: Callable[[], bool],
    ) -> None:
        self.claim, self.relay = claim, claim.relay
        self.permits, self._domains = permits
        self._tally, self._take, self._stop = tally, take, stop
        self._composers: dict[int, Composer | Unsendable] = {}
        self._waiting: deque[Delivery] = deque()
        self._stock: deque[Composed] = deque()
        self._passed: deque[Composed] = deque()
        self._more = True
        self._ask_at = 0.0
        self.deadline = time.monotonic() + settings.BATCH_SECONDS
        self.stopped = False

    def __len__(self) -> int:
        """How many rows are left of those that were claimed."""
        return len(self._waiting) + len(self._stock)

    @property
    def over(self) -> bool:
        """Whether no further message may be begun."""
        return self.stopped or self._stop() or time.monotonic() >= self.deadline

    def end(self) -> None:
        """No line begins a further message; whatever is left goes back with the claim."""
        self.stopped = True

    def ask_anew(self) -> None:
        """What was claimed may all be paused, cancelled or expired: a new claim asks for it again."""
        self._waiting.clear()
        self._stock.clear()
        self._passed.clear()
        self._more = False

    def pass_over(self, domain: str) -> None:
        """Nothing more to this recipient domain: its rows go back with the claim."""
        self._waiting = deque(row for row in self._waiting if row.domain != domain)
        self._stock = deque(one for one in self._stock if one.delivery.domain != domain)

    # The next message and its permit -------------------------------------------------------------

    def next(self, *, patient: bool) -> Ready | float | None:
        """The next message with its permit; the seconds until there may be a permit; or nothing more.

        Without patience a wait is as good as nothing: the line asks again when it has no message.
        """
        try:
            self._look_back()
            while not self.over:
                if not self._stock and not self._compose(max(1, min(BURST, self.permits.at_hand))):
                    return self._wait_for_domain() if patient else None
                if wait := self._wait_for_permit():
                    return self._rest(wait) if patient else None
                first = self._stock.popleft()
                if self._domains.grant(first.delivery):
                    return Ready(first, self.permits.take())
                self._passed.append(first)
        except DATABASE_AWAY:
            self._end_without_database()
        return None

    def compose_ahead(self, most: int) -> bool:
        """Composes one message that nobody has asked for yet, unless there are `most` of them."""
        if len(self._stock) >= most or self.over or not self._waiting:
            return False
        if sum(len(composed.content) for composed in self._stock) > MOST_AHEAD:
            return False
        try:
            return self._compose(1)
        except DATABASE_AWAY:
            self._end_without_database()
            return False

    def _end_without_database(self) -> None:
        """The messages in flight still get their outcome; the rest is freed with the claim."""
        log.warning("The database went away: claim %s begins no further message.", self.claim.pk)
        database.close()
        self.end()

    def replied(self, ready: Ready) -> None:
        """Its content was answered, or left in doubt."""
        self.permits.replied(ready.permit)
        self._domains.replied(ready.delivery)

    def release(self, ready: Ready) -> None:
        """Nothing was sent with its permit."""
        self.permits.release(ready.permit)
        self._domains.release(ready.delivery)

    def give_back(self, ready: Ready) -> None:
        """With its permit: it is the next one again."""
        self._stock.appendleft(ready.composed)
        self.permits.put_back(ready.permit)

    def _wait_for_permit(self) -> float:
        """Seconds until there may be one; 0 if one is at hand."""
        now = time.monotonic()
        if not self.permits.at_hand and now >= self._ask_at:
            wait = self.permits.ask(len(self))
            self._ask_at = now + wait + 0.002
        return 0.0 if self.permits.at_hand else max(self._ask_at - now, 0.001)

    def _look_back(self) -> None:
        """What was passed over is next again, once its domain may have room."""
        if self._passed and self._domains.may_have_room():
            self._stock.extendleft(reversed(self._passed))
            self._passed.clear()

    def _wait_for_domain(self) -> float | None:
        """With nothing else to send: a short wait for what was passed over, or no further message."""
        if not self._passed or self._domains.wait > LONGEST_WAIT:
            return None
        return max(self._domains.wait, 0.001)

    def _rest(self, wait: float) -> float | None:
        """The wait, or nothing and a rest for the relay where it is longer than a worker should wait."""
        if wait <= LONGEST_WAIT:
            return wait
        self.end()
        until = timezone.now() + timedelta(seconds=min(wait, 3600))
        until_committed(lambda: Relay.objects.filter(pk=self.relay.pk).update(resting_until=until))
        return None

    # Composing -----------------------------------------------------------------------------------

    def _compose(self, most: int) -> bool:
        """Composes the next rows that can be; False when there is none left.

        Signed one after the other: each change between signing and other work costs a tenth of both.
        """
        drafts: list[tuple[Composer, Draft]] = []
        until = time.monotonic() + LONGEST_BURST
        while (delivery := self._row()) is not None:
            drafts += self._guarded(delivery, self._draft, delivery)
            if drafts and (len(drafts) >= most or not self._waiting or time.monotonic() > until):
                break
        for composer, draft in drafts:
            self._stock += self._guarded(draft.delivery, composer.sign, draft)
        return bool(self._stock)

    def _row(self) -> Delivery | None:
        if not self._waiting and self._more and len(self._passed) < MOST_PASSED:
            self._waiting.extend(self._take())
            self._more = bool(self._waiting)
        return self._waiting.popleft() if self._waiting else None

    def _draft(self, delivery: Delivery) -> tuple[Composer, Draft]:
        composer = self._composers.get(delivery.campaign_id)
        if composer is None:
            composer = self._composers[delivery.campaign_id] = _composer(delivery, self.relay)
        if isinstance(composer, Unsendable):
            raise composer
        return composer, composer.draft(delivery)

    def _guarded(self, delivery: Delivery, step: Callable[[A], T], argument: A) -> list[T]:
        """Its one result; none when the row failed: the cause is on it, and the others go on."""
        try:
            return [step(argument)]
        except Unsendable as error:
            self.fail(delivery, error.reason, error.detail)
        except DATABASE_AWAY:
            raise  # no fault of the row
        except Exception as error:
            # A poison row must not stop the others; the class says enough, the text might quote it.
            log.error("Delivery %s could not be composed: %s", delivery.pk, type(error).__name__)
            self.fail(delivery, "compose", type(error).__name__)
        return []

    def fail(
        self, delivery: Delivery, reason: str, detail: str = "", *, claim: Claim | None = None
    ) -> None:
        """Ends a row for a cause of ours; `claim` is the line's that may have begun it."""
        before = delivery.state
        if fail([self.claim, claim or self.claim], delivery, reason, detail):
            self._tally.add(delivery, before, DeliveryState.FAILED)


def _composer(delivery: Delivery, relay: Relay) -> Composer | Unsendable:
    try:
        return Composer(delivery.campaign, relay)
    except Unsendable as error:
        return error

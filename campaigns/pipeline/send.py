"""Send: a batch of a relay's deliveries over the connections that this worker may hold (design.md, The
claim, Pipelining).

One loop drives all of them (line_loop.py), so that what they have to record at a moment is one commit.
Each connection has a Claim and a script (line.py); the first claim takes the rows (upcoming.py).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.conf import settings
from django.db import connection as database

from accounts.models import Relay, RelayKind
from campaigns.models import Campaign, Claim, Delivery
from campaigns.pipeline.claim import close_claims, open_claim, open_claims, renew, take
from campaigns.pipeline.domain_permits import DomainPermits
from campaigns.pipeline.ledger import Ledger, ledger
from campaigns.pipeline.line import Line
from campaigns.pipeline.line_loop import LineLoop
from campaigns.pipeline.outcome import Entry, Recorded, record, until_committed
from campaigns.pipeline.permits import Permits
from campaigns.pipeline.reply_rules import rules_of
from campaigns.pipeline.steady_ledger import LedgerAway
from campaigns.pipeline.tally import Tally
from campaigns.pipeline.upcoming import Upcoming
from campaigns.pipeline.work import share_of
from campaigns.pipeline.written_outcomes import WrittenOutcomes

log = logging.getLogger(__name__)

# A connection more is opened for each so many rows that wait: a login costs as much as some messages.
ROWS_A_LINE = 10
# Rows claimed at once are enough for so many connections' batches, however many there are.
BATCHES_AT_ONCE = 5


def send_batch(relay_id: int, worker: str, stop: Callable[[], bool] = lambda: False) -> bool:
    """Works through one batch over a worker's share of the relay's connections; True when there may be
    more to do at once.

    Raises nothing for a broken relay or row: the outcome is on the rows and on the relay. Once
    `stop` says so (the worker is asked to end), only the messages in flight go on to their outcome.
    """
    claim = open_claim(relay_id, worker)
    if claim is None:
        return False
    claim.relay = Relay.objects.select_related("bounce_mailbox").get(pk=relay_id)
    claims = [claim]
    with renewed(claims):
        batch = Batch(claims, ledger(), stop)
        try:
            return batch.run()
        finally:
            batch.end()


def is_alone(relay_id: int) -> bool:
    """Whether a process drives all its connections to the relay from one batch; a direct relay's batch is
    that of one recipient domain, and others go on beside it."""
    return not Relay.objects.filter(pk=relay_id, kind=RelayKind.DIRECT).exists()


@contextmanager
def renewed(claims: Sequence[Claim]) -> Iterator[None]:
    """Renews the leases from a thread of its own: a relay may take ten minutes for a final reply."""
    ended = threading.Event()

    def beat() -> None:
        try:
            while not ended.wait(settings.CLAIM_LEASE_SECONDS / 3):
                try:
                    if not renew(*claims):
                        return
                except Exception:
                    log.warning("A claim's lease could not be renewed; it is tried again.")
                    database.close()
        finally:
            database.close()

    thread = threading.Thread(target=beat, name=f"lease-{claims[0].pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Batch:
    """One task's work: its claims, one a connection, of which the first takes the rows."""

    def __init__(self, claims: list[Claim], book: Ledger, stop: Callable[[], bool]) -> None:
        self.claims, self.book, self.stop = claims, book, stop
        self.lead = claims[0]
        self.relay = self.lead.relay
        self.rules = until_committed(lambda: rules_of(self.relay))
        self.connections = share_of(self.relay)
        self.permits = Permits(book, self.relay, claims)
        self.written = WrittenOutcomes(claims)
        self.tally = Tally()
        self.domains = DomainPermits(book, self.lead)
        permits = (self.permits, self.domains)
        self.upcoming = Upcoming(self.lead, permits, self.tally, self._take, stop)
        self.loop = LineLoop(self._commit, self._spare)
        # Rows that a line may have in hand: a crash of the database could make them look untouched.
        self._held: set[int] = set()
        self._lines = 0
        self._room = settings.CLAIM_BATCH * min(self.connections, BATCHES_AT_ONCE)
        self._took_all = self._found = False

    def run(self) -> bool:
        """Claims and sends until there is nothing left, or the batch's time is over."""
        self._add_line(self.lead)
        self.loop.run()
        return self._found and not self.upcoming.stopped and not self.stop()

    def end(self) -> None:
        """Whatever happened: unused permits, rows and connection slots given back."""
        self.permits.settle()
        try:
            # First the permits: whoever dies in between leaves open claims, which the sweep ends.
            self._close_in_ledger()
            until_committed(self._close_claims)
            # A rebuild of the ledger in between took the claims for open ones.
            self._close_in_ledger()
        except LedgerAway:
            log.warning("The quota ledger is away: claim %s ends with its lease.", self.lead.pk)
        self.tally.flush()

    def _close_in_ledger(self) -> None:
        for claim in self.claims:
            self.book.close(self.relay.quota_group, str(claim.pk))
            self.domains.close(claim)

    def _close_claims(self) -> None:
        """What a restart of the database took must be back before the rows are anybody's."""
        self.written.restore()
        close_claims(self.claims)

    def _add_line(self, claim: Claim) -> None:
        self._lines += 1
        self.loop.add(Line(claim, self.upcoming, self.tally, self.rules))

    def _spare(self) -> bool:
        return self.upcoming.compose_ahead(self._lines)

    def _commit(self, entries: Sequence[Entry]) -> list[Recorded | Exception]:
        found = record(entries, self.lead, self.written)
        for entry, recorded in zip(entries, found, strict=True):
            if isinstance(recorded, Exception):
                self.upcoming.end()
            elif entry.tried is not None:
                self._held.discard(entry.tried.delivery.pk)
        return found

    # Claiming ------------------------------------------------------------------------------------

    def _take(self) -> list[Delivery]:
        """More rows, and a line more where there are many; nothing once a claim found the last ones."""
        if self._took_all:
            return []
        self.written.restore()
        found, removed = take(self.lead, self.relay, self._room)
        self.tally.merge(removed)
        deliveries = [row for row in found if row.pk not in self._held]
        ended = sum(number for number in removed.values() if number > 0)
        self._took_all = len(deliveries) + ended < self._room
        self._found = self._found or bool(deliveries)
        if deliveries:
            # Claims wait for the disk, and with them everything before them.
            self.written.on_disk()
        self._held.update(row.pk for row in deliveries)
        self._with_campaigns(deliveries)
        wanted = min(self.connections, -(-len(deliveries) // ROWS_A_LINE)) - self._lines
        if wanted > 0:
            more = open_claims(self.relay.pk, self.lead.worker, wanted, domain=self.lead.domain)
            self.claims.extend(more)
            for claim in more:
                self._add_line(claim)
        return deliveries

    def _with_campaigns(self, deliveries: Sequence[Delivery]) -> None:
        """A campaign is fetched once, not with its whole content beside every row."""
        campaigns = Campaign.objects.select_related("workbook__data_key", "template").in_bulk(
            {delivery.campaign_id for delivery in deliveries}
        )
        for delivery in deliveries:
            delivery.campaign, delivery.relay = campaigns[delivery.campaign_id], self.relay

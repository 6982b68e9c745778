"""Hits: a request to a tracked address is remembered in this process and written with others, at most a second later.

That is the log of a request and nothing else: no consent, no confirmation and no subscription follows from it, so a
GET still changes nothing (docs/adr). A process that is killed loses what came within its last second; one that is
asked to end writes it first. No address of a visitor is stored: it is looked at, and forgotten with the batch.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import DatabaseError, connection

from campaigns.mailer.hits import Came, Request, Visitor, burst_of, visitor_of
from campaigns.models.delivery import ERASED_DOMAIN, DeliveryPurpose
from campaigns.models.template import Kind
from campaigns.models.tracking import Tracking
from campaigns.pipeline.clock import stamp

log = logging.getLogger(__name__)

# Seconds from the first hit of a batch to its writing, and how many are written at once.
INTERVAL = 0.8
BATCH = 2000
# While the database is away; what comes beyond is counted in the log and lost.
MOST = 100_000
# A link that is asked for over and over leads on, and is remembered so many times in each span (seconds): else
# whoever has one could fill the disk. One without a recipient is everybody's: so many times for each visitor,
# who may be a mail provider's picture proxy.
REPEATS, REPEATS_OF_SHARED = 10, 200
SPAN = 10.0


@dataclass(frozen=True, slots=True)
class Record:
    """A hit as it came: `at` in Unix seconds; delivery 0 says nothing about who."""

    campaign: int
    delivery: int
    link: int
    at: float
    request: Request


class HitBuffer:
    """Hits of one process, which any thread adds to; a thread of its own writes them.

    The thread begins with the first hit: a server that forks its workers has none before that.
    """

    def __init__(self) -> None:
        self._waiting: deque[Record] = deque()
        self._lost = 0
        self._span = 0
        self._asked: dict[tuple[int, int, int, str], int] = {}
        self._some = threading.Event()
        self._full = threading.Event()
        self._starting = threading.Lock()
        self._writing = threading.Lock()
        self._process = 0

    def add(self, record: Record) -> None:
        """Costs a visitor no more than an append."""
        if self._is_flood(record):
            return
        if len(self._waiting) >= MOST:
            self._lost += 1
            return
        self._waiting.append(record)
        if not self._some.is_set():
            self._some.set()
        if len(self._waiting) >= BATCH:
            self._full.set()
        if self._process != os.getpid():
            self._start()

    def _is_flood(self, record: Record) -> bool:
        span = int(record.at / SPAN)
        if span != self._span:
            self._span, self._asked = span, {}
        whose = "" if record.delivery else record.request.address
        key = (record.campaign, record.delivery, record.link, whose)
        asked = self._asked[key] = self._asked.get(key, 0) + 1
        return asked > (REPEATS if record.delivery else REPEATS_OF_SHARED)

    def flush(self) -> int:
        """Writes what waits, and says how many; what could not be written waits on."""
        written = 0
        with self._writing:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                try:
                    write(batch)
                except DatabaseError:
                    self._waiting.extendleft(reversed(batch))
                    raise
                written += len(batch)
            if self._lost:
                log.warning("The database was away: %s hits were not counted.", self._lost)
                self._lost = 0
        return written

    def _start(self) -> None:
        with self._starting:
            if self._process == os.getpid():
                return
            self._process = os.getpid()
            atexit.register(self._end)
            threading.Thread(target=self._run, name="hits", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._some.wait()
            self._full.wait(INTERVAL)
            self._some.clear()
            self._full.clear()
            self._flushed()
            if not self._waiting:
                # Nobody may come for hours: an idle process keeps no connection.
                connection.close()

    def _end(self) -> None:
        self._flushed()
        connection.close()

    def _flushed(self) -> None:
        try:
            connection.close_if_unusable_or_obsolete()
            self.flush()
        except DatabaseError as error:
            connection.close()
            # They wait in memory; the next look is an interval away.
            self._some.set()
            log.warning("Hits could not be written yet: %s", type(error).__name__)


BUFFER = HitBuffer()

_POSTGRES = """
    INSERT INTO campaigns_hit (team_id, campaign_id, delivery_id, link, at, visitor, counted)
    SELECT c.team_id, c.id, d.id, h.link, h.at, h.visitor, false
    FROM unnest(%(campaigns)s::bigint[], %(deliveries)s::bigint[], %(links)s::int[],
        %(moments)s::timestamptz[], %(visitors)s::text[]) AS h(campaign, delivery, link, at, visitor)"""
_SQLITE = """
    INSERT INTO campaigns_hit (team_id, campaign_id, delivery_id, link, at, visitor, counted)
    SELECT c.team_id, c.id, d.id, h.value ->> 2, h.value ->> 3, h.value ->> 4, false
    FROM (SELECT value, value ->> 0 AS campaign, value ->> 1 AS delivery
        FROM json_each(%(rows)s)) AS h"""
# Of a payslip, of a test, of somebody whose data were erased nothing is kept, whatever a link says.
_JOINED = """
    JOIN campaigns_campaign c ON c.id = h.campaign AND c.kind = %(newsletter)s AND c.tracking <> %(off)s
    LEFT JOIN campaigns_delivery d ON c.tracking = %(individual)s AND d.id = h.delivery
        AND d.campaign_id = c.id AND d.purpose <> %(test)s AND d.domain <> %(erased)s"""


def write(batch: Sequence[Record]) -> None:
    """One INSERT; a hit on what is no counted newsletter (any more) is left out."""
    visitors = [visitor or "" for visitor in _visitors(batch)]
    moments = [stamp(datetime.fromtimestamp(record.at, UTC)) for record in batch]
    values: dict[str, object] = {
        "newsletter": Kind.NEWSLETTER.value,
        "off": Tracking.OFF.value,
        "individual": Tracking.INDIVIDUAL.value,
        "test": DeliveryPurpose.TEST.value,
        "erased": ERASED_DOMAIN,
    }
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            values["campaigns"] = [record.campaign for record in batch]
            values["deliveries"] = [record.delivery for record in batch]
            values["links"] = [record.link for record in batch]
            values["moments"], values["visitors"] = moments, visitors
            cursor.execute(_POSTGRES + _JOINED, values)
        else:
            values["rows"] = json.dumps(
                [
                    [record.campaign, record.delivery, record.link, moment, visitor]
                    for record, moment, visitor in zip(batch, moments, visitors, strict=True)
                ]
            )
            cursor.execute(_SQLITE + _JOINED, values)


def _visitors(batch: Sequence[Record]) -> list[Visitor | None]:
    """By each request; and where links carry no recipient, by what one visitor asked for within this batch."""
    found = [visitor_of(record.request) for record in batch]
    together: defaultdict[tuple[int, str, str], list[int]] = defaultdict(list)
    for place, record in enumerate(batch):
        if not record.delivery and record.request.is_link and found[place] is None:
            request = record.request
            together[record.campaign, request.address, request.agent].append(place)
    for places in together.values():
        if len(places) > 1:
            hits = [Came(batch[place].at, batch[place].link) for place in places]
            # How many links the message has is not known here: three different ones are a burst.
            for at in burst_of(hits, links=len(batch)):
                found[places[at]] = Visitor.BURST
    return found


def now() -> float:
    """Unix seconds, as a Record holds them."""
    return time.time()

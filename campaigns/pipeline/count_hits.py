"""Count: hits that can be judged become counts of an hour, and the raw rows end after some days.

A hit waits until what could have come together with it is there. Each batch is one transaction, so that a task that
is lost, run twice or killed counts nothing twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from campaigns.mailer.hits import BURST_SECONDS, Came, Visitor, judged
from campaigns.mailer.reply import Outcome
from campaigns.models import Attempt, Campaign, Hit
from campaigns.pipeline.chunks import chunk_size
from campaigns.pipeline.clock import stamp

# Hits of all processes are in the table two seconds after they came, and a burst is over in five.
SETTLED = timedelta(seconds=10)

_COUNTS = """
    INSERT INTO campaigns_hitcount (team_id, campaign_id, link, hour, visitor, number)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (campaign_id, link, hour, visitor)
    DO UPDATE SET number = campaigns_hitcount.number + excluded.number"""
# first_at and last_at are of people as soon as there are any.
_RECIPIENTS = """
    INSERT INTO campaigns_recipienthit AS r
        (team_id, campaign_id, delivery_id, link, people, machines, first_at, last_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (delivery_id, link) DO UPDATE SET
        people = r.people + excluded.people,
        machines = r.machines + excluded.machines,
        first_at = CASE
            WHEN (excluded.people > 0) <> (r.people > 0)
            THEN CASE WHEN r.people > 0 THEN r.first_at ELSE excluded.first_at END
            WHEN excluded.first_at < r.first_at THEN excluded.first_at ELSE r.first_at END,
        last_at = CASE
            WHEN (excluded.people > 0) <> (r.people > 0)
            THEN CASE WHEN r.people > 0 THEN r.last_at ELSE excluded.last_at END
            WHEN excluded.last_at > r.last_at THEN excluded.last_at ELSE r.last_at END"""


@dataclass(frozen=True)
class Judged:
    hit: Hit
    visitor: str

    @property
    def is_person(self) -> bool:
        return self.visitor == Visitor.PERSON


def count() -> int:
    """Counts everything that has settled; returns how many hits that was."""
    size = chunk_size()
    total = 0
    while number := _count_some(size):
        total += number
        if number < size:
            break
    return total


def _count_some(size: int) -> int:
    with transaction.atomic():
        rows = Hit.objects.filter(counted=False, at__lte=timezone.now() - SETTLED).order_by("at")
        if connection.features.has_select_for_update_skip_locked:
            # Two tasks at once share the work.
            rows = rows.select_for_update(skip_locked=True)
        hits = list(rows[:size])
        if hits:
            found = _judge(hits)
            _add_counts(found)
            _add_recipients([one for one in found if one.hit.delivery_id])
            _mark(found)
    return len(hits)


def _judge(hits: Sequence[Hit]) -> list[Judged]:
    """Those of one message are looked at together, with those that were counted before."""
    visitors = {hit.pk: hit.visitor for hit in hits if hit.visitor}
    wanted = {hit.delivery_id for hit in hits if hit.delivery_id and not hit.visitor}
    if wanted:
        visitors |= _by_message(wanted, hits)
    return [Judged(hit, visitors.get(hit.pk) or Visitor.PERSON) for hit in hits]


def _by_message(wanted: Iterable[int], hits: Sequence[Hit]) -> dict[int, str]:
    near = timedelta(seconds=BURST_SECONDS)
    around = Hit.objects.filter(
        delivery__in=wanted, at__gte=hits[0].at - near, at__lte=hits[-1].at + near
    )
    messages: defaultdict[int, list[Hit]] = defaultdict(list)
    for hit in around.order_by("at", "pk"):
        messages[hit.delivery_id or 0].append(hit)
    accepted = dict(
        Attempt.objects.filter(delivery__in=wanted, outcome=Outcome.ACCEPTED)
        .values_list("delivery")
        .annotate(Max("ended_at"))
        .order_by()
    )
    links = {
        pk: len(targets)
        for pk, targets in Campaign.objects.filter(
            pk__in={hit.campaign_id for hit in hits}
        ).values_list("pk", "frozen_links")
    }
    found: dict[int, str] = {}
    for delivery, together in messages.items():
        moment = accepted.get(delivery)
        judgement = judged(
            [Came(hit.at.timestamp(), hit.link) for hit in together],
            accepted=moment.timestamp() if moment else None,
            links=links.get(together[0].campaign_id, 0),
        )
        found |= {
            hit.pk: hit.visitor or visitor for hit, visitor in zip(together, judgement, strict=True)
        }
    return found


def _add_counts(found: Iterable[Judged]) -> None:
    counts = Counter(
        (
            one.hit.team_id,
            one.hit.campaign_id,
            one.hit.link,
            one.hit.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0),
            str(one.visitor),
        )
        for one in found
    )
    with connection.cursor() as cursor:
        # In one order everywhere: two tasks that count the same hour do not lock each other out.
        for (team, campaign, link, hour, visitor), number in sorted(counts.items()):
            cursor.execute(_COUNTS, [team, campaign, link, stamp(hour), visitor, number])


def _add_recipients(found: Iterable[Judged]) -> None:
    together: defaultdict[tuple[int, int, int, int], list[Judged]] = defaultdict(list)
    for one in found:
        hit = one.hit
        together[hit.delivery_id or 0, hit.link, hit.team_id, hit.campaign_id].append(one)
    with connection.cursor() as cursor:
        for (delivery, link, team, campaign), hits in sorted(
            together.items(), key=lambda item: item[0]
        ):
            people = [one.hit.at for one in hits if one.is_person]
            moments = people or [one.hit.at for one in hits]
            numbers = len(people), len(hits) - len(people)
            span = stamp(min(moments)), stamp(max(moments))
            cursor.execute(_RECIPIENTS, [team, campaign, delivery, link, *numbers, *span])


def _mark(found: Iterable[Judged]) -> None:
    by_visitor: defaultdict[str, list[int]] = defaultdict(list)
    for one in found:
        by_visitor[one.visitor].append(one.hit.pk)
    for visitor, ids in by_visitor.items():
        Hit.objects.filter(pk__in=ids).update(visitor=visitor, counted=True)


def forget(now: datetime | None = None) -> int:
    """Removes raw hits that are older than HIT_DAYS; their counts stay."""
    before = (now or timezone.now()) - timedelta(days=settings.HIT_DAYS)
    size = chunk_size()
    old = Hit.objects.filter(counted=True, at__lt=before)
    total = 0
    while found := list(old.values_list("pk", flat=True)[:size]):
        Hit.objects.filter(pk__in=found)._raw_delete(using=old.db)
        total += len(found)
    return total

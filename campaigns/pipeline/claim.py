"""Claim: a worker takes a relay's connection slot, and a batch of its due deliveries.

A claimed delivery stays queued or deferred and carries the claim's id. It becomes `sending` only
by `begin`, a commit made before the first byte of its content leaves, and only while the claim's
lease lives by the database's clock. All statements run on PostgreSQL and SQLite alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import Relay
from campaigns.models import (
    Campaign,
    CampaignRelay,
    CampaignStop,
    Claim,
    Delivery,
)
from campaigns.models.campaign import CampaignState
from campaigns.models.delivery import WAITING, DeliveryState
from campaigns.models.template import Kind
from campaigns.pipeline import restored
from campaigns.pipeline.clock import database_clock, stamp
from campaigns.pipeline.counts import Counts
from campaigns.pipeline.destinations import Destinations
from campaigns.pipeline.ending import end_unsendable
from campaigns.pipeline.lanes import SINGLES, Lane, lane_of, lanes_of, waits


def lease() -> timedelta:
    """How long a claim lives without being renewed."""
    return timedelta(seconds=settings.CLAIM_LEASE_SECONDS)


def open_claim(relay_id: int, worker: str) -> Claim | None:
    """A connection slot of the relay; None when it rests, is parked or has no slot left."""
    return next(iter(open_claims(relay_id, worker, 1)), None)


def open_claims(relay_id: int, worker: str, most: int, *, domain: str = "") -> list[Claim]:
    """Up to so many connection slots of the relay, as many as are free; of a direct relay those of one
    recipient domain (the one named, or that whose turn it is).

    The relay's row is locked meanwhile, so that two workers never both take the last slot. None in
    a restored copy of the database, which is looked for first.
    """
    restored.look()
    with transaction.atomic():
        relays = Relay.objects.select_for_update(of=("self",)).filter(
            pk=relay_id, enabled=True, team__sending_off_at=None
        )
        relay = relays.first()
        if relay is None or not ready(relay):
            return []
        if relay.is_direct:
            places = Destinations(relay, list(runnable(relay)), OF_CAMPAIGN)
            domain = domain or places.next() or ""
            most = min(most, places.room(domain)) if domain else 0
        taken = Claim.objects.filter(relay=relay, ended_at=None, lease_until__gt=Now()).count()
        started_at = server_started_at()
        return [
            Claim.objects.create(
                team_id=relay.team_id,
                relay=relay,
                worker=worker[:100],
                domain=domain,
                lease_until=Now() + lease(),
                server_started_at=started_at,
            )
            for _ in range(min(most, relay.max_connections - taken))
        ]


def ready(relay: Relay) -> bool:
    """Neither parked by a reply nor resting until its rate allows more."""
    now = timezone.now()
    return not any(until and until > now for until in (relay.parked_until, relay.resting_until))


def server_started_at() -> str:
    """When the database server started; blank on SQLite, which has none."""
    if connection.vendor != "postgresql":
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_postmaster_start_time()::text")
        return str(cursor.fetchone()[0])


def server_is_new() -> bool:
    """Whether the database server started less than a lease ago: a living worker may not have been
    able to renew its claim, or to write its outcomes again."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() - pg_postmaster_start_time() < %s", [lease()])
        return bool(cursor.fetchone()[0])


def renew(*claims: Claim) -> bool:
    """Prolongs the leases; False when the sweep has ended all of the claims meanwhile."""
    mine = Claim.objects.filter(pk__in=[claim.pk for claim in claims], ended_at=None)
    return bool(mine.update(lease_until=Now() + lease()))


def take(claim: Claim, relay: Relay, limit: int) -> tuple[list[Delivery], Counts]:
    """Claims up to `limit` due deliveries: singles, then payslips, then newsletters; of each kind
    an equal share of each campaign, and of each campaign no more than its share of a limited domain.

    What must not be sent (expired, suppressed, unsubscribed) ends here, in the same transaction;
    the second value says how the counts of the campaigns' states change by that. The campaigns are
    not fetched with the rows: each would bring its whole frozen content once a row.
    """
    lanes = [lane_of(relay, claim.domain)] if relay.is_direct else lanes_of(relay)
    with transaction.atomic():
        room = limit - _take_from(lanes, claim, relay, limit, None)
        campaigns = runnable(relay)
        payslips = campaigns.filter(kind=Kind.PAYSLIP)
        # Newsletters have what payslips leave; within a kind no giant keeps the others waiting.
        for ids in (list(payslips), list(campaigns.exclude(kind=Kind.PAYSLIP))):
            room -= _share_out(lanes, claim, relay, room, ids)
        # One order for all: the most urgent first.
        waiting = list(
            Delivery.objects.filter(claim=claim, state__in=WAITING)
            .select_related("contact", "row")
            # Nobody asks the row in hand for them, and each instant costs as much as ten other fields.
            .defer("created_at", "changed_at", "due_at", "contact__created_at")
            .order_by("-priority", "due_at", "id")
        )
        deliveries, removed = end_unsendable(waiting)
    return by_turns(deliveries), removed


# A campaign's rows, but those of a domain that a stop rule stopped on their relay.
OF_CAMPAIGN = """campaign_id = %s AND NOT EXISTS (
    SELECT 1 FROM campaigns_campaignstop s
    WHERE s.campaign_id = campaigns_delivery.campaign_id AND s.lifted_at IS NULL
      AND s.relay_id = campaigns_delivery.relay_id AND s.domain = campaigns_delivery.domain)"""


def open_hours(prefix: str = "") -> Q:
    """Campaigns whose sending hours are open now, or that have none; a tick moves the hours on."""
    return Q(**{f"{prefix}sends_from": None}) | Q(
        **{f"{prefix}sends_from__lte": Now(), f"{prefix}sends_until__gt": Now()}
    )


def runnable(relay: Relay) -> QuerySet[Campaign, int]:
    """Ids of the campaigns that send through this relay now, payslips first."""
    stopped = CampaignStop.objects.filter(
        campaign=OuterRef("pk"), relay=relay, domain="", lifted_at=None
    )
    return (
        Campaign.objects.filter(
            Q(relay=relay)
            | Exists(CampaignRelay.objects.filter(campaign=OuterRef("pk"), relay=relay)),
            ~Exists(stopped),
            open_hours(),
            state=CampaignState.RUNNING,
            hold_reason="",
            planned_at__isnull=False,
        )
        .order_by("-kind", "id")  # "payslip" before "newsletter"
        .values_list("pk", flat=True)
    )


def _share_out(
    lanes: list[Lane], claim: Claim, relay: Relay, limit: int, campaign_ids: list[int]
) -> int:
    """Claims from campaigns equally; what one leaves over is shared among the others again."""
    room = limit
    while room > 0 and campaign_ids:
        have_more = []
        for index, campaign_id in enumerate(campaign_ids):
            share = -(-room // (len(campaign_ids) - index))
            if taken := _take_from(lanes, claim, relay, share, campaign_id):
                room -= taken
                have_more.append(campaign_id)
        campaign_ids = have_more
    return limit - room


def _take_from(
    lanes: list[Lane], claim: Claim, relay: Relay, limit: int, campaign_id: int | None
) -> int:
    """Claims from each lane at most an equal share; of one campaign, or (None) tests and resends."""
    which, owner = (SINGLES, ()) if campaign_id is None else (OF_CAMPAIGN, (campaign_id,))
    taken = 0
    for index, lane in enumerate(lanes):
        share = lane.part(-(-(limit - taken) // (len(lanes) - index)))
        if share > 0 and (not lane.skips or waits(lane, relay, campaign_id)):
            number = _take(claim, relay, share, f"{which}{lane.sql}", (*owner, *lane.values))
            lane.took(number)
            taken += number
    return taken


def _take(claim: Claim, relay: Relay, limit: int, which: str, values: tuple[object, ...]) -> int:
    """Claims due rows of one kind; a row that another worker is claiming is passed over."""
    locking = "FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE campaigns_delivery SET claim_id = %s WHERE id IN (
                SELECT id FROM campaigns_delivery
                WHERE {which} AND relay_id = %s AND claim_id IS NULL
                  AND state IN ('queued', 'deferred') AND due_at <= %s
                ORDER BY due_at, id LIMIT %s {locking})
            """,  # noqa: S608 - `which` is made of constants of this file and of lanes.py
            [claim.pk, *values, relay.pk, stamp(timezone.now()), limit],
        )
        return cursor.rowcount


def by_turns(deliveries: list[Delivery]) -> list[Delivery]:
    """The most urgent kind first, and within it one of each domain after the other."""
    turns: Counter[tuple[int, str]] = Counter()
    placed: list[tuple[int, int, Delivery]] = []
    for delivery in deliveries:
        lane = (delivery.priority, delivery.domain)
        placed.append((-delivery.priority, turns[lane], delivery))
        turns[lane] += 1
    return [delivery for *_, delivery in sorted(placed, key=lambda place: place[:2])]


# `sending` too: a commit may have reached the database although its answer did not reach us. The
# claims are this worker's alone, and it never asks about a row whose content has left.
BEGIN = """
UPDATE campaigns_delivery SET state = 'sending', claim_id = %(claim)s, changed_at = %(now)s,
    message_id = %(next_message_id)s
WHERE id = %(next)s AND claim_id IN (%(claim)s, %(lead)s) AND state IN ('queued', 'deferred', 'sending')
  AND deliver_until > %(now)s
  AND EXISTS (SELECT 1 FROM campaigns_claim c
              WHERE c.id = %(claim)s AND c.ended_at IS NULL AND c.lease_until > {clock})
  AND (purpose IN ('test', 'resend') OR EXISTS (
        SELECT 1 FROM campaigns_campaign k
        WHERE k.id = campaign_id AND k.state = 'running' AND k.hold_reason = ''
          AND (k.sends_from IS NULL OR k.sends_from <= {clock} AND k.sends_until > {clock})))
"""


def begin(claim: Claim, delivery: Delivery, lead: Claim | None = None) -> bool:
    """Marks one row `sending` over the claim's connection; only when this returns True and is
    committed may content leave.

    The row was taken by `lead` (or by the claim itself) and from now on is the claim's: so each
    claim has one row at most that may be in doubt. False: paused, cancelled, expired or no longer
    ours. It must not be sent. message_commit.py has the same for many at once.
    """
    values = begin_values(claim, delivery, lead or claim)
    values["now"] = stamp(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(BEGIN.format(clock=database_clock()), values)
        return cursor.rowcount == 1


def begin_values(claim: Claim, delivery: Delivery, lead: Claim) -> dict[str, object]:
    """The parameters of BEGIN."""
    return {
        "claim": claim.pk,
        "lead": lead.pk,
        "next": delivery.pk,
        "next_message_id": delivery.message_id,
        "now": timezone.now(),
    }


def close_claims(claims: Sequence[Claim]) -> None:
    """Frees their waiting rows and their connection slots.

    A claim that still has a `sending` row (a worker's bug) stays open: when its lease ends, the
    sweep says what that row is.
    """
    sending = Delivery.objects.filter(claim=OuterRef("pk"), state=DeliveryState.SENDING)
    ids = [claim.pk for claim in claims]
    with transaction.atomic():
        Delivery.objects.filter(claim__in=ids, state__in=WAITING).update(claim=None)
        Claim.objects.filter(~Exists(sending), pk__in=ids).update(ended_at=timezone.now())

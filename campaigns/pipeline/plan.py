"""Plan: a due campaign gets its deliveries, one row a recipient, each recipient once.

On PostgreSQL one INSERT … SELECT; on SQLite the same statement in chunks, since a write there must
not last over 200 ms. The rows are visible to a claim only when `planned_at` is set at the end.
Where several relays carry a campaign, the same statement says which of them carries whom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Min, Q
from django.utils import timezone

from campaigns.models import Campaign, ListMember, Workbook, WorkbookRow
from campaigns.models.campaign import CampaignState, Duplicates, Hold
from campaigns.models.delivery import PRIORITY_NEWSLETTER, PRIORITY_PAYSLIP
from campaigns.models.signals import announce
from campaigns.pipeline.clock import stamp
from campaigns.pipeline.counts import recount
from campaigns.pipeline.shares import Carrier, carriers_of, turns

SQLITE_CHUNK = 2000
LEASE = timedelta(minutes=10)


def start_due() -> list[int]:
    """Scheduled campaigns whose time has come start running, each once; ids of what is to plan.

    One that is hours late (the server was down) does not fire by itself: it is held and asks.
    """
    now = timezone.now()
    due = Campaign.objects.filter(
        state=CampaignState.SCHEDULED, scheduled_at__lte=now, hold_reason=""
    )
    late = now - timedelta(hours=settings.LATE_START_HOURS)
    due.filter(scheduled_at__lt=late).update(hold_reason=Hold.LATE_START)
    due.update(state=CampaignState.RUNNING)
    unplanned = Campaign.objects.filter(
        Q(plan_lease_until=None) | Q(plan_lease_until__lt=now),
        state=CampaignState.RUNNING,
        planned_at=None,
    )
    return list(unplanned.values_list("pk", flat=True))


def plan(campaign_id: int) -> bool:
    """Writes the campaign's deliveries; False when another worker plans it, or nothing is to plan.

    Run twice or after a crash it adds what is missing: the identity of a delivery is unique.
    """
    now = timezone.now()
    mine = Campaign.objects.filter(
        Q(plan_lease_until=None) | Q(plan_lease_until__lt=now),
        pk=campaign_id,
        state=CampaignState.RUNNING,
        planned_at=None,
    )
    if Workbook.objects.filter(campaigns=campaign_id, folded=True).exists():
        return False  # unfold says when its rows are there
    if not mine.update(plan_lease_until=now + LEASE):
        return False
    campaign = Campaign.objects.select_related("relay", "workbook").get(pk=campaign_id)
    _write(campaign, _from_workbook(campaign) if campaign.workbook_id else _from_list(campaign))
    with transaction.atomic():
        recount(campaign_id)
        Campaign.objects.filter(pk=campaign_id).update(planned_at=timezone.now())
        announce("tick")
    return True


@dataclass(frozen=True)
class Source:
    """A SELECT of the recipients, in the columns of _RECIPIENT, that ends with a range of ids."""

    select: str
    values: tuple[object, ...]
    bounds: dict[str, int | None]


# What a source yields: `place` orders the recipients, and is the id that chunks go by.
_RECIPIENT = "place, team_id, source_key, contact_id, row_id, row_number, address, address_key"
_INTO = """
INSERT INTO campaigns_delivery (team_id, campaign_id, purpose, source_key, sequence, contact_id,
    row_id, row_number, address, address_key, domain, priority, due_at, deliver_until, relay_id,
    state, attempts, message_id, variant, reason, detail, enhanced, resolved_note, created_at,
    changed_at)
"""


def _write(campaign: Campaign, source: Source) -> None:
    """The rows of a source; where several relays carry them, each row's relay by its turn."""
    carriers = carriers_of(campaign)
    rounds = turns([carrier.weight for carrier in carriers])
    statement, shares, rest = _statement(campaign, source, carriers, rounds)
    before = 0
    for first, last in _chunks(source.bounds):
        bound = [*source.values, first, last]
        with connection.cursor() as cursor:
            cursor.execute(statement, [*shares, before, *bound, *rest])
            if len(rounds) > 1 and last != source.bounds["high"]:
                # The turns go on where they stood, whatever an earlier run had written already.
                count = f"SELECT count(*) FROM ({source.select}) t"  # noqa: S608
                cursor.execute(count, bound)
                before += cursor.fetchone()[0]


def _statement(
    campaign: Campaign, source: Source, carriers: list[Carrier], rounds: list[int]
) -> tuple[str, list[object], list[object]]:
    """The INSERT; its values before those of the recipients, and after them."""
    now = timezone.now()
    # What may not leave before its hours open does not grow old meanwhile.
    opens = max(now, campaign.sends_from or now)
    shares: list[str] = []
    values: list[object] = []
    for slot, index in enumerate(rounds):
        relay = carriers[index].relay
        until = opens + timedelta(hours=relay.deliver_hours)
        shares.append("(%s, %s, %s)")
        values += [slot, relay.pk, stamp(until)]
    # A single share needs no numbering of the recipients.
    turn = "(row_number() OVER (ORDER BY place) - 1 + %s)" if len(rounds) > 1 else "0 * %s"
    statement = f"""{_INTO}
        WITH share (slot, relay_id, deliver_until) AS (VALUES {", ".join(shares)}),
        recipient AS (SELECT {_RECIPIENT}, {turn} %% {len(rounds)} AS slot
            FROM ({source.select}) found)
        SELECT r.team_id, %s, 'campaign', r.source_key, 0, r.contact_id, r.row_id, r.row_number,
            r.address, r.address_key, {_domain("r.address_key")}, %s, %s, s.deliver_until,
            s.relay_id, 'queued', 0, '', '', '', '', '', '', %s, %s
        FROM recipient r, share s WHERE s.slot = r.slot
        ORDER BY r.place
        ON CONFLICT DO NOTHING"""  # noqa: S608 - nothing from outside is in it
    priority = PRIORITY_PAYSLIP if campaign.is_payslip else PRIORITY_NEWSLETTER
    rest: list[object] = [campaign.pk, priority, stamp(now), stamp(now), stamp(now)]
    return statement, values, rest


def _domain(key: str) -> str:
    """SQL for what stands behind the last @ of an address key (a quoted local part may hold one)."""
    if connection.vendor == "postgresql":
        return f"regexp_replace({key}, '^.*@', '')"
    # rtrim over every character that is no @ leaves the local part with its @.
    return f"replace({key}, rtrim({key}, replace({key}, '@', '')), '')"


def _from_list(campaign: Campaign) -> Source:
    select = """
        SELECT m.id AS place, c.team_id, 'c' || c.id AS source_key, c.id AS contact_id,
            CAST(NULL AS bigint) AS row_id, CAST(NULL AS integer) AS row_number, c.address,
            c.address_key
        FROM campaigns_listmember m JOIN campaigns_contact c ON c.id = m.contact_id
        WHERE m.contact_list_id = %s AND m.status = 'subscribed' AND m.team_id = %s
          AND m.id BETWEEN %s AND %s"""
    members = ListMember.objects.filter(contact_list=campaign.contact_list_id)
    bounds = members.aggregate(low=Min("pk"), high=Max("pk"))
    return Source(select, (campaign.contact_list_id, campaign.team_id), bounds)


def _from_workbook(campaign: Campaign) -> Source:
    """Every row of the confirmed reading; only an address's first row where one message is wanted."""
    workbook = campaign.workbook
    assert workbook is not None
    once = ""
    if campaign.duplicates == Duplicates.MERGED or not campaign.is_payslip:
        once = """AND NOT EXISTS (SELECT 1 FROM campaigns_workbookrow e
            WHERE e.workbook_id = r.workbook_id AND e.reading = r.reading
              AND e.address_key = r.address_key AND e.id < r.id)"""
    select = f"""
        SELECT r.id AS place, r.team_id, 'r' || r.number || '.' || r.part AS source_key,
            CAST(NULL AS bigint) AS contact_id, r.id AS row_id, r.number AS row_number, r.address,
            r.address_key
        FROM campaigns_workbookrow r
        WHERE r.workbook_id = %s AND r.reading = %s {once} AND r.id BETWEEN %s AND %s"""  # noqa: S608
    rows = WorkbookRow.objects.filter(workbook=workbook, reading=workbook.reading)
    bounds = rows.aggregate(low=Min("pk"), high=Max("pk"))
    return Source(select, (workbook.pk, workbook.reading), bounds)


def _chunks(bounds: dict[str, int | None]) -> Iterator[tuple[int, int]]:
    """Ranges of ids: one of everything on PostgreSQL, short ones on SQLite."""
    low, high = bounds["low"], bounds["high"]
    if low is None or high is None:
        return
    if connection.vendor == "postgresql":
        yield low, high
        return
    for first in range(low, high + 1, SQLITE_CHUNK):
        yield first, min(first + SQLITE_CHUNK - 1, high)

"""Plan: a due campaign gets its deliveries, one row a recipient, each recipient once.

On PostgreSQL one INSERT … SELECT; on SQLite the same statement in chunks, since a write there must
not last over 200 ms. The rows are visible to a claim only when `planned_at` is set at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Min, Q
from django.utils import timezone

from campaigns.models import Campaign, ListMember, WorkbookRow
from campaigns.models.campaign import CampaignState, Duplicates, Hold
from campaigns.models.delivery import PRIORITY_NEWSLETTER, PRIORITY_PAYSLIP
from campaigns.models.signals import announce
from campaigns.pipeline.clock import stamp
from campaigns.pipeline.counts import recount

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
    if not mine.update(plan_lease_until=now + LEASE):
        return False
    campaign = Campaign.objects.select_related("relay", "workbook").get(pk=campaign_id)
    statement, values, bounds = (
        _from_workbook(campaign) if campaign.workbook_id else _from_list(campaign)
    )
    for first, last in bounds:
        with connection.cursor() as cursor:
            cursor.execute(statement, [*values, first, last])
    with transaction.atomic():
        recount(campaign_id)
        Campaign.objects.filter(pk=campaign_id).update(planned_at=timezone.now())
        announce("tick")
    return True


_INTO = """
INSERT INTO campaigns_delivery (team_id, campaign_id, purpose, source_key, sequence, contact_id,
    row_id, row_number, address, address_key, domain, priority, due_at, deliver_until, relay_id,
    state, attempts, message_id, variant, reason, detail, enhanced, resolved_note, created_at,
    changed_at)
"""
_REST = "%s, %s, %s, %s, 'queued', 0, '', '', '', '', '', '', %s, %s"


def _domain(key: str) -> str:
    """SQL for what stands behind the last @ of an address key (a quoted local part may hold one)."""
    if connection.vendor == "postgresql":
        return f"regexp_replace({key}, '^.*@', '')"
    # rtrim over every character that is no @ leaves the local part with its @.
    return f"replace({key}, rtrim({key}, replace({key}, '@', '')), '')"


def _common(campaign: Campaign) -> list[object]:
    """priority, due_at, deliver_until, relay, created_at, changed_at."""
    now = timezone.now()
    assert campaign.relay is not None  # the constraint campaign_has_relay
    priority = PRIORITY_PAYSLIP if campaign.is_payslip else PRIORITY_NEWSLETTER
    until = now + timedelta(hours=campaign.relay.deliver_hours)
    return [priority, stamp(now), stamp(until), campaign.relay_id, stamp(now), stamp(now)]


Planned = tuple[str, list[object], Iterator[tuple[int, int]]]


def _from_list(campaign: Campaign) -> Planned:
    statement = f"""{_INTO}
        SELECT c.team_id, %s, 'campaign', 'c' || c.id, 0, c.id, NULL, NULL, c.address,
            c.address_key, {_domain("c.address_key")}, {_REST}
        FROM campaigns_listmember m JOIN campaigns_contact c ON c.id = m.contact_id
        WHERE m.contact_list_id = %s AND m.status = 'subscribed' AND m.team_id = %s
          AND m.id BETWEEN %s AND %s
        ORDER BY m.id
        ON CONFLICT DO NOTHING"""  # noqa: S608 - nothing from outside is in it
    values = [campaign.pk, *_common(campaign), campaign.contact_list_id, campaign.team_id]
    members = ListMember.objects.filter(contact_list=campaign.contact_list_id)
    return statement, values, _chunks(members.aggregate(low=Min("pk"), high=Max("pk")))


def _from_workbook(campaign: Campaign) -> Planned:
    """Every row of the confirmed reading; only an address's first row where one message is wanted."""
    workbook = campaign.workbook
    assert workbook is not None
    once = ""
    if campaign.duplicates == Duplicates.MERGED or not campaign.is_payslip:
        once = """AND NOT EXISTS (SELECT 1 FROM campaigns_workbookrow e
            WHERE e.workbook_id = r.workbook_id AND e.reading = r.reading
              AND e.address_key = r.address_key AND e.id < r.id)"""
    statement = f"""{_INTO}
        SELECT r.team_id, %s, 'campaign', 'r' || r.number || '.' || r.part, 0, NULL, r.id,
            r.number, r.address, r.address_key, {_domain("r.address_key")}, {_REST}
        FROM campaigns_workbookrow r
        WHERE r.workbook_id = %s AND r.reading = %s {once} AND r.id BETWEEN %s AND %s
        ORDER BY r.id
        ON CONFLICT DO NOTHING"""  # noqa: S608
    values = [campaign.pk, *_common(campaign), workbook.pk, workbook.reading]
    rows = WorkbookRow.objects.filter(workbook=workbook, reading=workbook.reading)
    return statement, values, _chunks(rows.aggregate(low=Min("pk"), high=Max("pk")))


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

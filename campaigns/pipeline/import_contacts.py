"""Import: the confirmed rows of a list become contacts and members of a ContactList.

In chunks, each with its own progress in one transaction: a worker that dies, or runs beside another,
adds nothing twice. Who unsubscribed stays unsubscribed, for a member that is there is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from campaigns.mailer.address import Mailbox
from campaigns.models import ContactList, Workbook, WorkbookRow
from campaigns.models.contact import MemberStatus
from campaigns.models.content import ContentDestroyed
from campaigns.models.feedback import SuppressionReason
from campaigns.models.signals import announce
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline.clock import stamp

LEASE = timedelta(minutes=2)


def begin(workbook: Workbook, contact_list: ContactList) -> bool:
    """Asks for the import; False unless it is a confirmed list that is on no other way.

    A second import, into the same list or another, is allowed when the first has ended.
    """
    with transaction.atomic():
        started = Workbook.objects.filter(
            Q(import_list=None) | Q(imported_at__isnull=False),
            pk=workbook.pk,
            team=contact_list.team_id,
            purpose=Purpose.LIST,
            state=ReadingState.CONFIRMED,
        ).update(
            import_list=contact_list,
            import_lease_until=None,
            import_after=0,
            import_done=0,
            imported_at=None,
        )
        if started:
            announce("import_contacts", workbook.pk)
    return bool(started)


def _waiting() -> Any:
    free = Q(import_lease_until=None) | Q(import_lease_until__lt=timezone.now())
    return Workbook.objects.filter(free, import_list__isnull=False, imported_at=None)


def waiting() -> list[int]:
    """Workbooks whose import no living worker does."""
    return list(_waiting().values_list("pk", flat=True))


def run(workbook_id: int) -> int:
    """Imports what is left of one workbook; how many rows this run took."""
    if not _waiting().filter(pk=workbook_id).update(import_lease_until=timezone.now() + LEASE):
        return 0
    workbook = Workbook.objects.select_related("data_key", "import_list").get(pk=workbook_id)
    taken = 0
    try:
        while rows := _next_rows(workbook):
            if not _take(workbook, rows):
                return taken
            taken += len(rows)
    except ContentDestroyed:  # before this or on the way: what was taken stays
        Workbook.objects.filter(pk=workbook_id).update(import_list=None, import_lease_until=None)
        return taken
    Workbook.objects.filter(
        pk=workbook_id, import_list=workbook.import_list, import_after=workbook.import_after
    ).update(imported_at=timezone.now(), import_lease_until=None)
    return taken


def _next_rows(workbook: Workbook) -> list[WorkbookRow]:
    # SQLite: no write over 200 ms, the other writers wait for it.
    size = 10_000 if connection.vendor == "postgresql" else 1000
    rows = workbook.all_rows.filter(reading=workbook.reading, pk__gt=workbook.import_after)
    return list(rows.order_by("pk")[:size])


def _take(workbook: Workbook, rows: list[WorkbookRow]) -> bool:
    """One chunk with its progress; False if another worker has gone on from here, or the list is gone."""
    people = json.dumps(_people(workbook, rows), ensure_ascii=False)
    with transaction.atomic():
        mine = Workbook.objects.filter(
            pk=workbook.pk, import_list=workbook.import_list, import_after=workbook.import_after
        ).update(
            import_after=rows[-1].pk,
            import_done=F("import_done") + len(rows),
            import_lease_until=timezone.now() + LEASE,
        )
        if not mine:
            return False
        _write(workbook.team_id, workbook.import_list_id, people)
    workbook.import_after = rows[-1].pk
    return True


def _people(workbook: Workbook, rows: list[WorkbookRow]) -> list[dict[str, Any]]:
    """One entry an address, the last row's: a statement may touch each contact once."""
    names = [column["name"] for column in workbook.columns]
    apart = (workbook.address_column, workbook.name_column)
    fields = [(index, name) for index, name in enumerate(names) if index not in apart]
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        opened = workbook.data_key.open_json(row.sealed)
        values = opened["values"]
        found[row.address_key] = {
            "address": row.address,
            "key": row.address_key,
            "name": (opened.get("name") or "").replace("\0", "")[:200],
            "attributes": {
                name: values[index].replace("\0", "")
                for index, name in fields
                if values[index] is not None
            },
        }
    return list(found.values())


# A column that this list lacks, or a name that it leaves empty, stays as it was known before. Who had
# their data erased is not brought back.
_CONTACTS: Mapping[str, str] = {
    "postgresql": """
        INSERT INTO campaigns_contact (team_id, address, address_key, name, attributes, created_at)
        SELECT %(team)s, p.address, p.key, p.name, p.attributes, %(now)s
        FROM jsonb_to_recordset(%(people)s::jsonb)
            AS p(address text, key text, name text, attributes jsonb)
        WHERE NOT EXISTS (
            SELECT 1 FROM campaigns_suppression s WHERE s.team_id = %(team)s
                AND s.address_key = p.key AND s.reason = %(erased)s)
        ON CONFLICT (team_id, address_key) DO UPDATE SET
            name = CASE excluded.name WHEN '' THEN campaigns_contact.name ELSE excluded.name END,
            attributes = campaigns_contact.attributes || excluded.attributes""",
    "sqlite": """
        INSERT INTO campaigns_contact (team_id, address, address_key, name, attributes, created_at)
        SELECT %(team)s, value ->> 'address', value ->> 'key', value ->> 'name',
            value -> 'attributes', %(now)s
        FROM json_each(%(people)s) WHERE NOT EXISTS (
            SELECT 1 FROM campaigns_suppression s WHERE s.team_id = %(team)s
                AND s.address_key = value ->> 'key' AND s.reason = %(erased)s)
        ON CONFLICT (team_id, address_key) DO UPDATE SET
            name = CASE excluded.name WHEN '' THEN campaigns_contact.name ELSE excluded.name END,
            attributes = json_patch(campaigns_contact.attributes, excluded.attributes)""",
}
# CROSS JOIN: SQLite then looks up each person by the index, and never the other way round.
_MEMBERS = """
    INSERT INTO campaigns_listmember (team_id, contact_list_id, contact_id, status, changed_at)
    SELECT c.team_id, %(list)s, c.id, %(subscribed)s, %(now)s
    FROM {people} CROSS JOIN campaigns_contact c
    WHERE c.team_id = %(team)s AND c.address_key = {key}
    ON CONFLICT (contact_list_id, contact_id) DO NOTHING"""
_KEYS: Mapping[str, dict[str, str]] = {
    "postgresql": {
        "people": "jsonb_to_recordset(%(people)s::jsonb) AS p(key text)",
        "key": "p.key",
    },
    "sqlite": {"people": "json_each(%(people)s)", "key": "json_each.value ->> 'key'"},
}


def _write(team_id: int, list_id: int | None, people: str) -> None:
    values = {
        "team": team_id,
        "list": list_id,
        "people": people,
        "now": stamp(timezone.now()),
        "subscribed": MemberStatus.SUBSCRIBED.value,
        "erased": SuppressionReason.ERASED.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CONTACTS[connection.vendor], values)
        cursor.execute(_MEMBERS.format(**_KEYS[connection.vendor]), values)


def add(contact_list: ContactList, people: Mapping[str, Mailbox]) -> None:
    """A few people by hand ({address_key: mailbox}), by the same rules as an import."""
    entries = [
        {"address": box.address, "key": key, "name": box.name[:200], "attributes": {}}
        for key, box in people.items()
    ]
    with transaction.atomic():
        for start in range(0, len(entries), 1000):
            part = json.dumps(entries[start : start + 1000], ensure_ascii=False)
            _write(contact_list.team_id, contact_list.pk, part)

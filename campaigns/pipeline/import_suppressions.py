"""Import of suppressions: the addresses of a confirmed list are not mailed any more.

Nothing but the address of a row is read. In chunks, each with its own progress in one transaction: a
worker that dies, or runs beside another, takes nothing twice. What is suppressed already stays as it
stands.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from campaigns.models import ContactList, Suppression, SuppressionImport, Workbook
from campaigns.models.signals import announce
from campaigns.models.workbook import Purpose, ReadingState

LEASE = timedelta(minutes=2)


def importable(team_id: int) -> QuerySet[Workbook]:
    """Confirmed lists whose content is still there, the newest first."""
    found = Workbook.objects.filter(
        team=team_id, purpose=Purpose.LIST, state=ReadingState.CONFIRMED
    )
    return found.filter(data_key__destroyed_at=None).order_by("-pk")


def begin(
    workbook: Workbook,
    contact_list: ContactList | None,
    *,
    reason: str,
    note: str = "",
    user: User | None = None,
) -> SuppressionImport | None:
    """Asks for the import, for one list or (None) for all; None where it may not be, or is under way."""
    if not importable(workbook.team_id).filter(pk=workbook.pk).exists():
        return None
    try:
        with transaction.atomic():
            row = SuppressionImport.objects.create(
                team_id=workbook.team_id,
                workbook=workbook,
                contact_list=contact_list,
                reason=reason,
                note=note,
                created_by=user,
            )
            announce("import_suppressions", row.pk)
    except IntegrityError:
        return None
    return row


def _waiting() -> QuerySet[SuppressionImport]:
    free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
    return SuppressionImport.objects.filter(free, ended_at=None)


def waiting() -> list[int]:
    """Imports that no living worker does."""
    return list(_waiting().values_list("pk", flat=True))


def run(import_id: int) -> int:
    """Does what is left of one import; how many rows this run took."""
    if not _waiting().filter(pk=import_id).update(lease_until=timezone.now() + LEASE):
        return 0
    row = SuppressionImport.objects.select_related("workbook").get(pk=import_id)
    taken = 0
    while chunk := _next_rows(row):
        if not _take(row, chunk):
            return taken
        taken += len(chunk)
    SuppressionImport.objects.filter(pk=import_id, after=row.after, ended_at=None).update(
        ended_at=timezone.now(), lease_until=None
    )
    return taken


def _next_rows(row: SuppressionImport) -> list[tuple[int, str, str]]:
    # SQLite: no write over 200 ms, the other writers wait for it.
    size = 5_000 if connection.vendor == "postgresql" else 1_000
    rows = row.workbook.all_rows.filter(reading=row.workbook.reading, pk__gt=row.after)
    return list(rows.order_by("pk").values_list("pk", "address_key", "address")[:size])


def _take(row: SuppressionImport, chunk: list[tuple[int, str, str]]) -> bool:
    """One chunk with its progress; False if another worker has gone on from here."""
    addresses = {key: address for _pk, key, address in chunk}
    with transaction.atomic():
        mine = SuppressionImport.objects.filter(pk=row.pk, after=row.after, ended_at=None).update(
            after=chunk[-1][0],
            done=F("done") + len(chunk),
            lease_until=timezone.now() + LEASE,
        )
        if not mine:
            return False
        added = _suppress(row, addresses)
        SuppressionImport.objects.filter(pk=row.pk).update(added=F("added") + added)
    row.after = chunk[-1][0]
    return True


def _suppress(row: SuppressionImport, addresses: dict[str, str]) -> int:
    same: dict[str, Any] = {"team_id": row.team_id, "contact_list_id": row.contact_list_id}
    known = Suppression.objects.filter(
        team=row.team_id, contact_list=row.contact_list_id, address_key__in=list(addresses)
    )
    new = set(addresses) - set(known.values_list("address_key", flat=True))
    rows = [
        Suppression(
            **same,
            address=address,
            address_key=key,
            reason=row.reason,
            note=row.note,
            source=row.workbook.name[:200],
            created_by_id=row.created_by_id,
        )
        for key, address in addresses.items()
        if key in new
    ]
    Suppression.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
    return len(rows)

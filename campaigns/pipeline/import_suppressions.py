"""Import of suppressions: the addresses of a confirmed list are not mailed any more.

Nothing but the address of a row is read. In chunks, each with its own progress in one transaction: a
worker that dies, or runs beside another, takes nothing twice. What is suppressed already stays as it
stands.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from campaigns.models import ContactList, Suppression, SuppressionImport, Workbook
from campaigns.models.content import ContentDestroyed
from campaigns.models.signals import announce
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline.blocks import opened
from campaigns.pipeline.chunks import chunk_size
from campaigns.workbooks.blocks import PEOPLE

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
            # A list that is just being unfolded is so before this, or waits for it.
            Workbook.objects.select_for_update().get(pk=workbook.pk)
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
    row = SuppressionImport.objects.select_related("workbook__data_key").get(pk=import_id)
    taken = 0
    with suppress(ContentDestroyed):  # before this or on the way: what was taken stays
        while chunk := _following(row):
            if not _take(row, chunk):
                return taken
            taken += chunk.count
    SuppressionImport.objects.filter(pk=import_id, after=row.after, ended_at=None).update(
        ended_at=timezone.now(), lease_until=None
    )
    return taken


@dataclass(frozen=True, slots=True)
class _Chunk:
    """`last`: the pk of the last row or block."""

    last: int
    count: int
    addresses: dict[str, str]


def _following(row: SuppressionImport) -> _Chunk | None:
    workbook, size = row.workbook, chunk_size()
    if workbook.folded:
        return _blocks(workbook, row.after, size // PEOPLE)
    rows = workbook.all_rows.filter(reading=workbook.reading, pk__gt=row.after).order_by("pk")
    found = list(rows.values_list("pk", "address_key", "address")[:size])
    addresses = {key: address for _pk, key, address in found}
    return _Chunk(found[-1][0], len(found), addresses) if found else None


def _blocks(workbook: Workbook, after: int, most: int) -> _Chunk | None:
    blocks = list(workbook.blocks.filter(pk__gt=after).order_by("pk")[:most])
    if not blocks:
        return None
    people = [person for block in blocks for person in opened(workbook, block).people]
    addresses = {person.key: person.address for person in people}
    return _Chunk(blocks[-1].pk, len(people), addresses)


def _take(row: SuppressionImport, chunk: _Chunk) -> bool:
    """One chunk with its progress; False if another worker has gone on from here."""
    with transaction.atomic():
        mine = SuppressionImport.objects.filter(pk=row.pk, after=row.after, ended_at=None).update(
            after=chunk.last,
            done=F("done") + chunk.count,
            lease_until=timezone.now() + LEASE,
        )
        if not mine:
            return False
        added = _suppress(row, chunk.addresses)
        SuppressionImport.objects.filter(pk=row.pk).update(added=F("added") + added)
    row.after = chunk.last
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

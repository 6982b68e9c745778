"""Import: the confirmed rows of a list become contacts and members of a ContactList.

In chunks, each with its own progress in one transaction: a worker that dies, or runs beside another,
adds nothing twice. Who unsubscribed stays unsubscribed, for a member that is there is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from campaigns.mailer.address import Mailbox
from campaigns.models import ContactList, DataKey, Workbook
from campaigns.models.content import ContentDestroyed
from campaigns.models.signals import announce
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline.write_members import Person, write

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
        for chunk in _chunks(workbook):
            if not _take(workbook, chunk):
                return taken
            taken += chunk.count
    except ContentDestroyed:  # before this or on the way: what was taken stays
        Workbook.objects.filter(pk=workbook_id).update(import_list=None, import_lease_until=None)
        return taken
    Workbook.objects.filter(
        pk=workbook_id, import_list=workbook.import_list, import_after=workbook.import_after
    ).update(imported_at=timezone.now(), import_lease_until=None)
    return taken


class _Row(NamedTuple):
    pk: int
    address: str
    key: str
    sealed: bytes | memoryview


@dataclass(frozen=True, slots=True)
class _Chunk:
    """`last`: the pk of the last row; `people` as `_write` takes them."""

    last: int
    count: int
    people: list[Person]


def _chunks(workbook: Workbook) -> Iterator[_Chunk]:
    """What is left, each chunk opened while the database still writes the one before."""
    names = [column["name"] for column in workbook.columns]
    apart = (workbook.address_column, workbook.name_column)
    fields = [
        (at, f"{encode_basestring(name)}:") for at, name in enumerate(names) if at not in apart
    ]
    opened: Future[_Chunk] | None = None
    with ThreadPoolExecutor(max_workers=1) as opener:
        after = workbook.import_after
        while rows := _next_rows(workbook, after):
            following = opener.submit(_opened, workbook.data_key, rows, fields)
            after = rows[-1].pk
            if opened is not None:
                yield opened.result()
            opened = following
        if opened is not None:
            yield opened.result()


def _next_rows(workbook: Workbook, after: int) -> list[_Row]:
    # SQLite: no write over 200 ms, the other writers wait for it.
    size = 4_000 if connection.vendor == "postgresql" else 1000
    rows = workbook.all_rows.filter(reading=workbook.reading, pk__gt=after).order_by("pk")
    values = rows.values_list("pk", "address", "address_key", "sealed")
    return [_Row(*row) for row in values[:size]]


def _opened(key: DataKey, rows: list[_Row], fields: Sequence[tuple[int, str]]) -> _Chunk:
    """One entry an address, the last row's: a statement may touch each contact once."""
    people: dict[str, Person] = {}
    contents = json.loads(b"[%s]" % b",".join([key.open(row.sealed) for row in rows]))
    for row, content in zip(rows, contents, strict=True):
        values = content["values"]
        attributes = [
            f"{name}{encode_basestring(value)}"
            for at, name in fields
            if (value := values[at]) is not None
        ]
        name = (content.get("name") or "").replace("\0", "")[:200]
        people[row.key] = Person(row.address, row.key, name, _object(attributes))
    return _Chunk(rows[-1].pk, len(rows), list(people.values()))


def _object(members: list[str]) -> str:
    """A JSON object without NUL, which PostgreSQL holds none of."""
    text = f"{{{','.join(members)}}}"
    if "\\u0000" not in text:
        return text
    clean = {name: value.replace("\0", "") for name, value in json.loads(text).items()}
    return json.dumps(clean, ensure_ascii=False)


def _take(workbook: Workbook, chunk: _Chunk) -> bool:
    """One chunk with its progress; False if another worker has gone on from here, or the list is gone."""
    with transaction.atomic():
        mine = Workbook.objects.filter(
            pk=workbook.pk, import_list=workbook.import_list, import_after=workbook.import_after
        ).update(
            import_after=chunk.last,
            import_done=F("import_done") + chunk.count,
            import_lease_until=timezone.now() + LEASE,
        )
        if not mine:
            return False
        write(workbook.team_id, workbook.import_list_id, chunk.people)
    workbook.import_after = chunk.last
    return True


def add(contact_list: ContactList, people: Mapping[str, Mailbox]) -> None:
    """A few people by hand ({address_key: mailbox}), by the same rules as an import."""
    entries = [Person(box.address, key, box.name[:200], "{}") for key, box in people.items()]
    with transaction.atomic():
        for start in range(0, len(entries), 1000):
            write(contact_list.team_id, contact_list.pk, entries[start : start + 1000])

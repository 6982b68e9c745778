"""Import: the confirmed rows of a list become contacts and members of a ContactList.

In chunks, each with its own progress in one transaction: a worker that dies, or runs beside another,
adds nothing twice. Who unsubscribed stays unsubscribed, for a member that is there is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from json.encoder import encode_basestring
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from campaigns.mailer.address import Mailbox
from campaigns.models import ContactList, DataKey, Workbook, WorkbookRow
from campaigns.models.content import ContentDestroyed
from campaigns.models.signals import announce
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline.blocks import opened
from campaigns.pipeline.chunks import chunk_size
from campaigns.pipeline.commit_later import commit_later
from campaigns.pipeline.write_members import lines_of, write, write_lines
from campaigns.workbooks.blocks import PEOPLE, Person, people_in

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
    taken, new = 0, True
    try:
        for chunk in _chunks(workbook):
            found = _take(workbook, chunk, new=new)
            if found is None:
                return taken
            taken, new = taken + chunk.count, found
    except (
        ContentDestroyed,
        ContactList.DoesNotExist,
    ):  # before this or on the way: what was taken stays
        Workbook.objects.filter(pk=workbook_id).update(import_list=None, import_lease_until=None)
        return taken
    Workbook.objects.filter(
        pk=workbook_id, import_list=workbook.import_list, import_after=workbook.import_after
    ).update(imported_at=timezone.now(), import_lease_until=None)
    return taken


@dataclass(frozen=True, slots=True)
class _Chunk:
    """`last`: the pk of the last row or block; `lines` as `write_lines` takes them."""

    last: int
    count: int
    lines: bytes


def _chunks(workbook: Workbook) -> Iterator[_Chunk]:
    """What is left."""
    following = _blocks if workbook.folded else _rows
    after = workbook.import_after
    while chunk := following(workbook, after, chunk_size()):
        yield chunk
        after = chunk.last


def _blocks(workbook: Workbook, after: int, size: int) -> _Chunk | None:
    blocks = list(workbook.blocks.filter(pk__gt=after).order_by("pk")[: size // PEOPLE])
    if not blocks:
        return None
    lines = b"".join([opened(workbook, block).lines for block in blocks])
    keys = "".join([block.keys for block in blocks]).split()
    if len(set(keys)) < len(keys):
        lines = lines_of(_last_ones(people_in(lines)))
    return _Chunk(blocks[-1].pk, sum(block.count for block in blocks), lines)


def _last_ones(people: Iterable[Person]) -> list[Person]:
    """One an address, the last row's: a statement may touch each contact once."""
    return list({person.key: person for person in people}.values())


def _rows(workbook: Workbook, after: int, size: int) -> _Chunk | None:
    rows = list(
        workbook.all_rows.filter(reading=workbook.reading, pk__gt=after).order_by("pk")[:size]
    )
    if not rows:
        return None
    names = [column["name"] for column in workbook.columns]
    apart = (workbook.address_column, workbook.name_column)
    fields = [
        (at, f"{encode_basestring(name)}:") for at, name in enumerate(names) if at not in apart
    ]
    people = _last_ones(_person(workbook.data_key, row, fields) for row in rows)
    return _Chunk(rows[-1].pk, len(rows), lines_of(people))


def _person(key: DataKey, row: WorkbookRow, fields: Sequence[tuple[int, str]]) -> Person:
    content = key.open_json(row.sealed)
    values = content["values"]
    attributes = [
        f"{name}{encode_basestring(value)}"
        for at, name in fields
        if (value := values[at]) is not None
    ]
    name = (content.get("name") or "").replace("\0", "")[:200]
    return Person(row.address, row.address_key, name, _object(attributes))


def _object(members: list[str]) -> str:
    """A JSON object without NUL, which PostgreSQL holds none of."""
    text = f"{{{','.join(members)}}}"
    if "\\u0000" not in text:
        return text
    clean = {name: value.replace("\0", "") for name, value in json.loads(text).items()}
    return json.dumps(clean, ensure_ascii=False)


def _take(workbook: Workbook, chunk: _Chunk, *, new: bool) -> bool | None:
    """One chunk with its progress; None if another worker has gone on from here, or the list is gone.

    With `new` nobody of it should be known; says whether nobody was.
    """
    with transaction.atomic():
        commit_later()  # what is lost with the server is taken again; the end waits for the disk
        mine = Workbook.objects.filter(
            pk=workbook.pk, import_list=workbook.import_list, import_after=workbook.import_after
        ).update(
            import_after=chunk.last,
            import_done=F("import_done") + chunk.count,
            import_lease_until=timezone.now() + LEASE,
        )
        if not mine or workbook.import_list_id is None:
            return None
        found = write_lines(workbook.team_id, workbook.import_list_id, chunk.lines, new=new)
    workbook.import_after = chunk.last
    return found


def add(contact_list: ContactList, people: Mapping[str, Mailbox]) -> None:
    """A few people by hand ({address_key: mailbox}), by the same rules as an import."""
    entries = [Person(box.address, key, box.name[:200], "{}") for key, box in people.items()]
    with transaction.atomic():
        for start in range(0, len(entries), 1000):
            write(contact_list.team_id, contact_list.pk, entries[start : start + 1000])

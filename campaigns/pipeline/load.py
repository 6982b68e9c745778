"""Load: an uploaded workbook is read in a child process, and its rows wait to be confirmed.

A reading is written in short transactions under a new number and becomes visible by one last
update; until somebody confirms it, nothing of it reaches a campaign or the contacts.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Team, User
from campaigns.mailer.address import AddressFault, address_key
from campaigns.models import (
    Contact,
    ContactList,
    ContentGrant,
    DataKey,
    ListMember,
    Workbook,
    WorkbookFile,
    WorkbookRow,
)
from campaigns.models.signals import announce
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.workbooks.child import read_in_child
from campaigns.workbooks.problems import WorkbookRejected
from campaigns.workbooks.reader import Choices, Reading
from campaigns.workbooks.results import Limits, ReadRow

LEASE = timedelta(minutes=10)
# Rows a transaction: on SQLite no write may last over 200 ms.
CHUNK = 500


class UploadRefused(Exception):
    """`kind`: empty or size. Nothing was stored."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def upload(*, team: Team, user: User, purpose: Purpose, name: str, data: bytes) -> Workbook:
    """Stores the file, sealed with a key of its own, and asks for its reading."""
    if not data:
        raise UploadRefused("empty")
    if len(data) > settings.MAX_WORKBOOK_BYTES:
        raise UploadRefused("size")
    with transaction.atomic():
        key = DataKey.objects.create(team=team)
        workbook = Workbook.objects.create(
            team=team,
            purpose=purpose,
            name=Path(name).name[:255],
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            data_key=key,
            uploaded_by=user,
        )
        WorkbookFile.objects.create(team=team, workbook=workbook, sealed=key.seal(data))
        ContentGrant.objects.create(team=team, user=user, workbook=workbook, granted_by=user)
        announce("read_workbook", workbook.pk)
    return workbook


def unread() -> list[int]:
    """Workbooks that wait for a reader, also those whose reader died."""
    waiting = Workbook.objects.filter(state=ReadingState.UPLOADED) | Workbook.objects.filter(
        state=ReadingState.READING, lease_until__lt=timezone.now()
    )
    return list(waiting.values_list("pk", flat=True))


def choose(workbook: Workbook, **choices: Any) -> bool:
    """Sheet, header rows or columns as a person wants them: the workbook is read anew.

    False once it was confirmed, or while it is being read.
    """
    free = [ReadingState.CHOOSING, ReadingState.READ, ReadingState.REJECTED]
    with transaction.atomic():
        changed = Workbook.objects.filter(pk=workbook.pk, state__in=free).update(
            choices={**workbook.choices, **choices},
            state=ReadingState.UPLOADED,
            progress_done=0,
            progress_total=0,
            reject_kind="",
            reject_text="",
        )
        if changed:
            announce("read_workbook", workbook.pk)
    return bool(changed)


def read(workbook_id: int, *, password: str | None = None) -> None:
    """Reads one waiting workbook; another worker's reading is left alone."""
    now = timezone.now()
    mine = Workbook.objects.filter(
        Q(state=ReadingState.UPLOADED) | Q(state=ReadingState.READING, lease_until__lt=now),
        pk=workbook_id,
    )
    if not mine.update(state=ReadingState.READING, lease_until=now + LEASE):
        return
    workbook = Workbook.objects.select_related("data_key", "file").get(pk=workbook_id)
    try:
        with _on_disk(workbook) as path:
            reading = read_in_child(
                path,
                sheet=workbook.choices.get("sheet"),
                password=password,
                choices=_choices(workbook.choices),
                limits=Limits(),
                progress=lambda done, total: _progress(workbook_id, done, total),
            )
    except WorkbookRejected as rejected:
        _reject(workbook_id, rejected)
        return
    _store(workbook, reading)


@contextmanager
def _on_disk(workbook: Workbook) -> Iterator[Path]:
    """The clear file, for its owner's eyes alone and in memory where the system has such a place."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    with tempfile.NamedTemporaryFile(prefix="hongyan-", dir=place) as file:
        file.write(workbook.data_key.open(workbook.file.sealed))
        file.flush()
        yield Path(file.name)


def _choices(stored: dict[str, Any]) -> Choices:
    rows = stored.get("header_rows")
    return Choices(
        header_rows=(rows[0], rows[1]) if rows else None,
        address_column=stored.get("address_column"),
        name_column=stored.get("name_column"),
        skipped=frozenset(stored.get("skipped", ())),
        unskipped=frozenset(stored.get("unskipped", ())),
    )


def _progress(workbook_id: int, done: int, total: int) -> None:
    Workbook.objects.filter(pk=workbook_id).update(
        progress_done=done, progress_total=total, lease_until=timezone.now() + LEASE
    )


def _reject(workbook_id: int, rejected: WorkbookRejected) -> None:
    Workbook.objects.filter(pk=workbook_id, state=ReadingState.READING).update(
        state=ReadingState.REJECTED,
        reject_kind=str(rejected.kind),
        reject_text=rejected.sentence[:300],
        lease_until=None,
    )


def _store(workbook: Workbook, reading: Reading) -> None:
    """Rows under a new number in short transactions; one update makes them the visible ones."""
    number = workbook.reading + 1
    WorkbookRow.objects.filter(workbook=workbook, reading__gte=number).delete()
    written = 0
    for start in range(0, len(reading.rows), CHUNK):
        rows = list(_rows(workbook, number, reading.rows[start : start + CHUNK]))
        WorkbookRow.objects.bulk_create(rows)
        written += len(rows)
    choosing = reading.outcome == "choose-sheet"
    Workbook.objects.filter(pk=workbook.pk, state=ReadingState.READING).update(
        state=ReadingState.CHOOSING if choosing else ReadingState.READ,
        reading=number,
        lease_until=None,
        sheet=reading.sheet or "",
        sheets=reading.sheets,
        header_rows=reading.header_rows or [],
        columns=[
            {"name": name, "letter": letter}
            for name, letter in zip(reading.columns, reading.letters, strict=True)
        ],
        address_column=reading.address_column,
        name_column=reading.name_column,
        row_count=written,
        problem_count=len(reading.problems),
        sealed_findings=workbook.data_key.seal_json(_findings(reading)),
    )
    _delete_older(workbook, number)


def _rows(workbook: Workbook, number: int, rows: Sequence[ReadRow]) -> Iterator[WorkbookRow]:
    for row in rows:
        try:
            key = address_key(row.email)
        except AddressFault:
            # The reader's idea of an address is wider than ours: it is a problem, not a crash.
            key = row.email.lower()
        yield WorkbookRow(
            team_id=workbook.team_id,
            workbook=workbook,
            reading=number,
            number=row.number,
            part=row.part,
            address=row.email,
            address_key=key,
            sealed=workbook.data_key.seal_json({"name": row.name, "values": list(row.cells)}),
        )


def _findings(reading: Reading) -> dict[str, Any]:
    return {
        "outcome": reading.outcome,
        "hidden": reading.hidden,
        "invalid": reading.invalid,
        "duplicates": reading.duplicates,
        "skipped_rows": reading.skipped_rows,
        "problems": [problem.as_json() for problem in reading.problems],
        "suggestions": reading.suggestions,
        "totals": {
            name: {"shown": total.shown, "computed": total.computed}
            for name, total in reading.totals.items()
        },
    }


def _delete_older(workbook: Workbook, number: int) -> None:
    while True:
        old = WorkbookRow.objects.filter(workbook=workbook, reading__lt=number)
        found = list(old.values_list("pk", flat=True)[:CHUNK])
        if not found:
            return
        WorkbookRow.objects.filter(pk__in=found).delete()


def confirm(workbook: Workbook, user: User, *, reading: int) -> bool:
    """read → confirmed, for exactly the reading that the person has seen."""
    return bool(
        Workbook.objects.filter(
            pk=workbook.pk, state=ReadingState.READ, reading=reading, row_count__gt=0
        ).update(state=ReadingState.CONFIRMED, confirmed_at=timezone.now(), confirmed_by=user)
    )


def import_contacts(workbook: Workbook, contact_list: ContactList) -> int:
    """The confirmed rows of a list become contacts and members; how many rows were taken.

    A known contact's attributes are brought up to date; who unsubscribed stays unsubscribed.
    """
    names = [column["name"] for column in workbook.columns]
    apart = {workbook.address_column, workbook.name_column}
    taken, after = 0, 0
    while rows := list(
        workbook.all_rows.filter(reading=workbook.reading, pk__gt=after).order_by("pk")[:CHUNK]
    ):
        after = rows[-1].pk
        contacts = {}
        for row in rows:
            opened = workbook.data_key.open_json(row.sealed)
            attributes = {
                name: value
                for index, (name, value) in enumerate(zip(names, opened["values"], strict=True))
                if index not in apart and value is not None
            }
            contacts[row.address_key] = Contact(
                team_id=workbook.team_id,
                address=row.address,
                address_key=row.address_key,
                name=(opened.get("name") or "")[:200],
                attributes=attributes,
            )
        _import_chunk(list(contacts.values()), contact_list)
        taken += len(rows)
    return taken


def _import_chunk(contacts: list[Contact], contact_list: ContactList) -> None:
    with transaction.atomic():
        Contact.objects.bulk_create(
            contacts,
            update_conflicts=True,
            unique_fields=["team", "address_key"],
            update_fields=["address", "name", "attributes"],
        )
        keys = [contact.address_key for contact in contacts]
        stored = Contact.objects.filter(team=contact_list.team, address_key__in=keys)
        ListMember.objects.bulk_create(
            [
                ListMember(team_id=contact_list.team_id, contact_list=contact_list, contact=contact)
                for contact in stored
            ],
            ignore_conflicts=True,
        )

"""A reading on its way into the database, under its reader's number and lease.

Whoever holds the workbook's newest number may write; everybody before it is told by Superseded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from campaigns.mailer.address import AddressFault, address_key
from campaigns.models import Workbook, WorkbookRow
from campaigns.models.workbook import ReadingState
from campaigns.workbooks.problems import WorkbookRejected
from campaigns.workbooks.reader import Reading
from campaigns.workbooks.results import ReadRow

# Renewed with every percent and every chunk; a reader that is silent for longer counts as dead.
LEASE = timedelta(minutes=3)


class Superseded(Exception):
    """Another reader has taken over, or the workbook is gone: this one's rows are nobody's."""


def chunk_size() -> int:
    """Rows a transaction: on SQLite no write may last over 200 ms."""
    return 5000 if connection.vendor == "postgresql" else 500


def mine(workbook: Workbook) -> Any:
    return Workbook.objects.filter(
        pk=workbook.pk, state=ReadingState.READING, readings_begun=workbook.readings_begun
    )


def renew(workbook: Workbook, **fields: Any) -> None:
    """Another lease; an exception from here ends the child too."""
    if not mine(workbook).update(lease_until=timezone.now() + LEASE, **fields):
        raise Superseded


def rejection(rejected: WorkbookRejected) -> dict[str, Any]:
    return {
        "state": ReadingState.REJECTED,
        "reject_kind": str(rejected.kind),
        "reject_detail": _text(rejected.detail)[:200],
        "reject_text": _text(rejected.sentence)[:300],
        "lease_until": None,
    }


def reject(workbook: Workbook, rejected: WorkbookRejected) -> None:
    if not mine(workbook).update(**rejection(rejected)):
        raise Superseded


def store(workbook: Workbook, reading: Reading) -> None:
    """Rows under this reader's number in short transactions; one update makes them the visible ones."""
    number = workbook.readings_begun
    size = chunk_size()
    for start in range(0, len(reading.rows), size):
        rows = _rows(workbook, reading.rows[start : start + size])
        try:
            with transaction.atomic():
                renew(workbook)
                _insert(rows)
        except IntegrityError as error:  # deleted in this very moment
            raise Superseded from error
    if not mine(workbook).update(**_result(workbook, reading)):
        raise Superseded
    delete_rows(workbook, reading__lt=number)


def _result(workbook: Workbook, reading: Reading) -> dict[str, Any]:
    choosing = reading.outcome == "choose-sheet"
    columns = zip(reading.columns, reading.letters, strict=True)
    return {
        "state": ReadingState.CHOOSING if choosing else ReadingState.READ,
        "reading": workbook.readings_begun,
        "readers_lost": 0,
        "lease_until": None,
        "sheet": _text(reading.sheet or "")[:255],
        "sheets": [_text(name) for name in reading.sheets],
        "header_rows": reading.header_rows or [],
        "columns": [{"name": _text(name), "letter": letter} for name, letter in columns],
        "address_column": reading.address_column,
        "name_column": reading.name_column,
        "row_count": len(reading.rows),
        "problem_count": len(reading.problems),
        "sealed_findings": workbook.data_key.seal_json(_findings(reading)),
    }


def _text(text: str) -> str:
    """PostgreSQL holds no NUL, which a text file may name a column with."""
    return text.replace("\0", "")


_COLUMNS = (
    "team_id", "workbook_id", "reading", "number", "part", "address", "address_key", "sealed",
)  # fmt: skip


def _insert(rows: Iterator[tuple[Any, ...]]) -> None:
    """COPY where there is one: half of what an import of 100,000 rows takes is saved by it."""
    if connection.vendor != "postgresql":
        WorkbookRow.objects.bulk_create(
            WorkbookRow(**dict(zip(_COLUMNS, row, strict=True))) for row in rows
        )
        return
    statement = f"COPY campaigns_workbookrow ({', '.join(_COLUMNS)}) FROM STDIN"
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _rows(workbook: Workbook, rows: Sequence[ReadRow]) -> Iterator[tuple[Any, ...]]:
    """The values of _COLUMNS for each recipient."""
    for row in rows:
        content = {"name": row.name, "values": list(row.cells)}
        yield (
            workbook.team_id,
            workbook.pk,
            workbook.readings_begun,
            row.number,
            row.part,
            row.email,
            _key(row.email),
            workbook.data_key.seal_json(content),
        )


def _key(email: str) -> str:
    try:
        return address_key(email)
    except AddressFault:
        # The reader's idea of an address is wider than ours: it is a problem, not a crash.
        return email.lower()


def _findings(reading: Reading) -> dict[str, Any]:
    return {
        "outcome": reading.outcome,
        "hidden": reading.hidden,
        "invalid": reading.invalid,
        "duplicates": reading.duplicates,
        "skipped_rows": reading.skipped_rows,
        "problems": [problem.as_json() for problem in reading.problems],
        "suggestions": reading.suggestions,
        "first_rows": reading.first_rows,
        "totals": {
            name: {"shown": total.shown, "computed": total.computed}
            for name, total in reading.totals.items()
        },
    }


def delete_rows(workbook: Workbook, **which: int) -> None:
    """In short transactions. No campaign may use an unconfirmed reading, so nothing refers to them."""
    rows = WorkbookRow.objects.filter(workbook_id=workbook.pk, **which)
    while found := list(rows.values_list("pk", flat=True)[: chunk_size()]):
        WorkbookRow.objects.filter(pk__in=found)._raw_delete(using=rows.db)

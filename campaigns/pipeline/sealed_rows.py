"""Recipients of a workbook sealed one by one and written many at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from django.db import connection

from campaigns.mailer.address import AddressFault, address_key
from campaigns.models import Workbook, WorkbookRow
from campaigns.workbooks.results import SentRow

#: An address that is its own key: nothing in it that `address_key` could change.
_OWN_KEY = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9-]+\.)+[a-z]+\Z")
_COLUMNS = "team_id, workbook_id, reading, number, part, address, address_key, sealed"
#: Rows that are handed over together, so that the server writes some while others are sealed.
_TOGETHER = 250


def insert(workbook: Workbook, rows: Iterable[SentRow]) -> None:
    """By COPY where there is one: half of what an import of 100,000 rows takes is saved by it."""
    if connection.vendor != "postgresql":
        WorkbookRow.objects.bulk_create(row_of(workbook, row) for row in rows)
        return
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f"COPY campaigns_workbookrow ({_COLUMNS}) FROM STDIN") as copy,
    ):
        lines = _lines(workbook, rows)
        while together := "".join(islice(lines, _TOGETHER)):
            copy.write(together)


def row_of(workbook: Workbook, row: SentRow) -> WorkbookRow:
    return WorkbookRow(
        team_id=workbook.team_id,
        workbook_id=workbook.pk,
        reading=workbook.readings_begun,
        number=row.number,
        part=row.part,
        address=row.email,
        address_key=key_of(row.email),
        sealed=workbook.data_key.seal(row.content),
    )


def _lines(workbook: Workbook, rows: Iterable[SentRow]) -> Iterator[str]:
    """Rows in COPY's text format; an address holds neither tabs nor line breaks."""
    own = f"{workbook.team_id}\t{workbook.pk}\t{workbook.readings_begun}"
    seal = workbook.data_key.seal
    for number, part, email, content in rows:
        address = email.replace("\\", "\\\\")
        key = email if _OWN_KEY.match(email) else key_of(email).replace("\\", "\\\\")
        yield f"{own}\t{number}\t{part}\t{address}\t{key}\t\\\\x{seal(content).hex()}\n"


def key_of(email: str) -> str:
    try:
        return address_key(email)
    except AddressFault:
        # The reader's idea of an address is wider than ours: it is a problem, not a crash.
        return email.lower()

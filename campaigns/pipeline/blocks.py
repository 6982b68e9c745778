"""Blocks: a list's people sealed by the hundred, until a campaign wants each as a row (unfold).

A row of its own for each would be three quarters of what an import costs (ADR 19). Whoever shows some
of a list's rows asks `listed`, which makes them of the blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from django.db import connection
from django.db.models import QuerySet

from campaigns.models import Workbook, WorkbookBlock, WorkbookRow
from campaigns.models.content import ContentDestroyed
from campaigns.models.workbook import Purpose
from campaigns.pipeline.sealed_rows import key_of, row_of
from campaigns.workbooks.blocks import Block, Opened
from campaigns.workbooks.results import Columns, SentRow

#: Addresses that are their own keys: nothing in them that `address_key` could change.
_OWN_KEYS = re.compile(rb"\n(?:[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9-]+\.)+[a-z]+\n)+\Z")
_COLUMNS = ("team_id", "workbook_id", "reading", "number", "count", "keys", "sealed")
_TYPES = ("int8", "int8", "int4", "int4", "int2", "text", "bytea")


def insert(workbook: Workbook, blocks: Iterable[Block]) -> None:
    """Seals them and writes them; in binary where that can be, since half of SQL's text would be hex."""
    if connection.vendor != "postgresql":
        rows = [
            WorkbookBlock(**dict(zip(_COLUMNS, values, strict=True)))
            for values in _values(workbook, blocks)
        ]
        WorkbookBlock.objects.bulk_create(rows)
        return
    copying = f"COPY campaigns_workbookblock ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT binary)"
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(copying) as copy,
    ):
        copy.set_types(_TYPES)
        for values in _values(workbook, blocks):
            copy.write_row(values)


def _values(workbook: Workbook, blocks: Iterable[Block]) -> Iterator[tuple[object, ...]]:
    own = (workbook.team_id, workbook.pk, workbook.readings_begun)
    for block in blocks:
        keys, content = block.keys, block.content
        if not _OWN_KEYS.match(keys):
            opened = Opened(content)
            keyed = [person._replace(key=key_of(person.address)) for person in opened.people]
            keys, content = opened.with_people(keyed)
        sealed = workbook.data_key.seal(content)
        yield (*own, block.number, block.people, keys.decode(), sealed)


def columns_of(workbook: Workbook) -> Columns:
    names = tuple(column["name"] for column in workbook.columns)
    return Columns(names, workbook.address_column, workbook.name_column)


def opened(workbook: Workbook, block: WorkbookBlock) -> Opened:
    """Raises ContentDestroyed."""
    return Opened(workbook.data_key.open(block.sealed))


def recipients(workbook: Workbook, block: WorkbookBlock) -> Iterator[SentRow]:
    """A block's people as rows of their own have them. Raises ContentDestroyed."""
    for row in opened(workbook, block).rows(columns_of(workbook)):
        yield SentRow.from_line(row.as_line())


class Folded:
    """A list's rows as if they were stored one by one: what is looked at is made of its block."""

    def __init__(self, workbook: Workbook) -> None:
        self._workbook = workbook

    @cached_property
    def _counts(self) -> list[tuple[int, int]]:
        return list(self._workbook.blocks.values_list("pk", "count"))

    def count(self) -> int:
        return sum(count for _pk, count in self._counts)

    __len__ = count

    def __getitem__(self, wanted: slice) -> list[WorkbookRow]:
        start, stop, _step = wanted.indices(len(self))
        found, first, before = [], 0, 0
        for pk, count in self._counts:
            if before < stop and before + count > start:
                first = first if found else before
                found.append(pk)
            before += count
        blocks = self._workbook.all_blocks.filter(pk__in=found).order_by("number")
        rows = [row for block in blocks for row in self._rows(block)]
        return rows[start - first : stop - first]

    def numbered(self, number: int) -> WorkbookRow | None:
        """The first one of the sheet's row."""
        block = self._workbook.blocks.filter(number__lte=number).last()
        rows = self._rows(block) if block is not None else ()
        return next((row for row in rows if row.number == number), None)

    def first(self) -> WorkbookRow | None:
        return next(iter(self[:1]), None)

    def _rows(self, block: WorkbookBlock) -> Iterator[WorkbookRow]:
        return (row_of(self._workbook, row) for row in recipients(self._workbook, block))


def listed(workbook: Workbook) -> Folded | QuerySet[WorkbookRow]:
    """The rows of the visible reading, whatever they are stored in; can be counted and sliced."""
    return Folded(workbook) if workbook.folded else workbook.rows


def numbered(workbook: Workbook, number: int) -> WorkbookRow | None:
    """The first recipient of the sheet's row."""
    if workbook.folded:
        return Folded(workbook).numbered(number)
    return workbook.rows.filter(number=number).first()


def about(team_id: int, key: str) -> QuerySet[WorkbookBlock]:
    """The blocks of lists that name this address."""
    mine = WorkbookBlock.objects.filter(team=team_id, workbook__purpose=Purpose.LIST)
    return mine.filter(keys__contains=f"\n{key}\n").select_related("workbook__data_key")


def forget(block: WorkbookBlock, key: str) -> None:
    """Takes a person out of a block, within the caller's transaction that has locked it."""
    try:
        found = opened(block.workbook, block)
        left = [None if person.key == key else person for person in found.people]
    except ContentDestroyed:
        left = []
    count = len(left) - left.count(None)
    if not count:
        block.delete()
        return
    keys, content = found.with_people(left)
    block.keys, block.count = keys.decode(), count
    block.sealed = block.workbook.data_key.seal(content)
    block.save(update_fields=["keys", "count", "sealed"])

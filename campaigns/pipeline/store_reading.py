"""A reading on its way into the database, under its reader's number and lease.

Whoever holds the workbook's newest number may write; everybody before it is told by Superseded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns.models import Workbook, WorkbookBlock, WorkbookRow
from campaigns.models.signals import announce
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline import blocks, sealed_rows
from campaigns.pipeline.chunks import chunk_size
from campaigns.pipeline.commit_later import commit_later
from campaigns.pipeline.taking import Taking
from campaigns.workbooks.blocks import Block
from campaigns.workbooks.problems import WorkbookRejected
from campaigns.workbooks.reader import Reading
from campaigns.workbooks.results import SentRow

_TELLING_SECONDS = 0.2
# Renewed with every telling and every chunk; a reader that is silent for longer counts as dead.
LEASE = timedelta(minutes=3)


class Superseded(Exception):
    """Another reader has taken over, or the workbook is gone: this one's rows are nobody's."""


def mine(workbook: Workbook) -> Any:
    return Workbook.objects.filter(
        pk=workbook.pk, state=ReadingState.READING, readings_begun=workbook.readings_begun
    )


def renew(workbook: Workbook, **fields: Any) -> None:
    """Another lease; an exception from here ends the child too."""
    with transaction.atomic():
        commit_later()  # without the last update, which waits for the disk, all of it is nothing
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


class Storing:
    """The recipients of a reading as they come, in short transactions, under this reader's number."""

    def __init__(self, workbook: Workbook) -> None:
        self._workbook = workbook
        self._taking = Taking(workbook)
        self._size = chunk_size()
        self._rows: list[SentRow] = []
        self._blocks: list[Block] = []
        self._waiting = self._read = 0
        self._told = -_TELLING_SECONDS

    def tell(self, done: int, total: int) -> None:
        """How far the reading has come, for a page that asks a few times a second."""
        if done == total or time.monotonic() - self._told >= _TELLING_SECONDS:
            renew(self._workbook, progress_done=done, progress_total=total)
            self._told = time.monotonic()

    def take(self, row: SentRow) -> None:
        """Raises Superseded when they are nobody's any more."""
        self._rows.append(row)
        self._count(1)

    def take_block(self, block: Block) -> None:
        """The same for some of a list's."""
        self._blocks.append(block)
        self._count(block.people)

    def _count(self, people: int) -> None:
        self._read += people
        self._waiting += people
        if self._waiting >= self._size:
            self._write()

    def _write(self) -> None:
        try:
            with transaction.atomic():
                renew(self._workbook)
                if self._blocks:
                    blocks.insert(self._workbook, self._blocks)
                else:
                    sealed_rows.insert(self._workbook, self._taken(self._rows))
        except IntegrityError as error:  # deleted in this very moment
            raise Superseded from error
        self._rows, self._blocks, self._waiting = [], [], 0

    def _taken(self, rows: list[SentRow]) -> Iterator[SentRow]:
        if not self._taking.looks_into_rows:
            yield from rows
            return
        for row, more in self._taking.of(row.opened() for row in rows):
            content = {"name": row.name, "values": list(row.cells), **more}
            sealable = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
            yield SentRow(row.number, row.part, row.email, sealable)

    def finish(self, reading: Reading) -> None:
        """One last update makes them the visible ones; those of earlier readings go."""
        workbook = self._workbook
        if self._waiting:
            self._write()
        result = _result(workbook, reading, self._taking.settle(reading))
        count = self._taking.count(self._read)
        if not mine(workbook).update(**result | {"row_count": count}):
            raise Superseded
        if result["figures_due"]:
            announce("sum_columns", workbook.pk)
        delete_rows(workbook, reading__lt=workbook.readings_begun)


def _result(workbook: Workbook, reading: Reading, more: dict[str, Any]) -> dict[str, Any]:
    choosing = reading.outcome == "choose-sheet"
    columns = zip(reading.columns, reading.letters, strict=True)
    return {
        "state": ReadingState.CHOOSING if choosing else ReadingState.READ,
        "reading": workbook.readings_begun,
        "folded": workbook.purpose == Purpose.LIST and not choosing,
        "readers_lost": 0,
        "lease_until": None,
        "sheet": _text(reading.sheet or "")[:255],
        "sheets": [_text(name) for name in reading.sheets],
        "header_rows": reading.header_rows or [],
        "columns": [{"name": _text(name), "letter": letter} for name, letter in columns],
        "address_column": reading.address_column,
        "name_column": reading.name_column,
        "problem_count": len(reading.problems),
        "sealed_findings": workbook.data_key.seal_json(_findings(reading) | more),
        "sealed_figures": None,
        "figures_due": workbook.purpose == Purpose.PAYSLIP and not choosing,
    }


def _text(text: str) -> str:
    """PostgreSQL holds no NUL, which a text file may name a column with."""
    return text.replace("\0", "")


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
        "left_out": reading.left_out,
        "totals": {
            name: {"shown": total.shown, "computed": total.computed}
            for name, total in reading.totals.items()
        },
    }


def delete_rows(workbook: Workbook, **which: int) -> None:
    """In short transactions. No campaign may use an unconfirmed reading, so nothing refers to them."""
    models: tuple[type[WorkbookRow | WorkbookBlock], ...] = (WorkbookRow, WorkbookBlock)
    for model in models:
        rows = model.objects.filter(workbook_id=workbook.pk, **which)
        while found := list(rows.values_list("pk", flat=True)[: chunk_size()]):
            model.objects.filter(pk__in=found)._raw_delete(using=rows.db)

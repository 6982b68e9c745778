"""Figures: after a payroll was read, a worker adds up its columns and finds their extremes.

What it finds holds names and amounts: sealed with the workbook's key, and destroyed with it. Two pages
and the pre-flight read it; none of them opens every row for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from campaigns.models import Workbook
from campaigns.models.content import ContentDestroyed
from campaigns.models.workbook import ReadingState
from campaigns.workbooks.amounts import amount
from campaigns.workbooks.column_figures import Checked, ColumnFigures, Left, check_total
from campaigns.workbooks.left_out import HIDDEN, NO_ADDRESS
from campaigns.workbooks.problems import ProblemKind
from campaigns.workbooks.words import is_summable

__all__ = ["HIDDEN", "NO_ADDRESS", "default_column", "make", "waiting"]

LEASE = timedelta(minutes=5)
CHUNK = 2000
# A total names so many of the rows that explain it.
NAMED = 20
_READ = (ReadingState.READ, ReadingState.CONFIRMED)


def _waiting() -> QuerySet[Workbook]:
    free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
    return Workbook.objects.filter(free, figures_due=True, state__in=_READ)


def waiting() -> list[int]:
    """Workbooks whose columns no living worker adds up."""
    return list(_waiting().values_list("pk", flat=True))


def make(workbook_id: int) -> None:
    """Adds up one workbook; of one that is read anew meanwhile nothing is kept."""
    if not _waiting().filter(pk=workbook_id).update(lease_until=timezone.now() + LEASE):
        return
    workbook = Workbook.objects.select_related("data_key").get(pk=workbook_id)
    try:
        sealed = workbook.data_key.seal_json(_made(workbook))
    except ContentDestroyed:
        sealed = None
    mine = Workbook.objects.filter(pk=workbook_id, reading=workbook.reading, state__in=_READ)
    mine.update(sealed_figures=sealed, figures_due=False, lease_until=None)


def _made(workbook: Workbook) -> dict[str, Any]:
    """{"rows", "columns": [{"name", "sum", "places", "count", "odd", "largest", "smallest"}], "totals"}.

    An extreme is [id of the row, number in the sheet, name, text as Excel shows it].
    """
    names = [column["name"] for column in workbook.columns]
    columns = [ColumnFigures() if is_summable(name) else None for name in names]
    seen = _add_rows(workbook, columns)
    numeric = {
        name: column
        for name, column in zip(names, columns, strict=True)
        if column is not None and column.is_numeric
    }
    return {
        "rows": seen,
        "columns": [_as_json(name, column) for name, column in numeric.items()],
        "totals": [] if workbook.repairs_id else _totals(workbook, numeric),
    }


def _add_rows(workbook: Workbook, columns: Sequence[ColumnFigures | None]) -> int:
    """A row with two addresses is added once; how many rows there are."""
    last, seen = 0, 0
    rows = workbook.rows.only("workbook", "number", "sealed")
    for row in rows.iterator(chunk_size=CHUNK):
        if row.number == last:
            continue
        last, seen = row.number, seen + 1
        opened = workbook.data_key.open_json(row.sealed)
        name = str(opened.get("name") or "")
        for column, text in zip(columns, opened["values"], strict=False):
            if column is not None and text:
                column.add(text, [row.pk, row.number, name, text])
    return seen


def _as_json(name: str, column: ColumnFigures) -> dict[str, Any]:
    return {
        "name": name,
        "sum": str(column.total),
        "places": column.places,
        "percent": column.percent,
        "count": column.count,
        "odd": column.odd,
        "largest": column.largest,
        "smallest": column.smallest,
    }


def _totals(workbook: Workbook, numeric: Mapping[str, ColumnFigures]) -> list[dict[str, Any]]:
    """Each total that the sheet itself shows, beside the sum of its column."""
    findings, found = workbook.findings, []
    names = [column["name"] for column in workbook.columns]
    letters = [column["letter"] for column in workbook.columns]
    unequal = {
        problem["column"]
        for problem in findings.get("problems", ())
        if problem["kind"] == ProblemKind.TOTAL_DIFFERS
    }
    for name, total in (findings.get("totals") or {}).items():
        own = amount(total["shown"] or "")
        if own is None or name not in numeric:
            continue
        index = names.index(name)
        left, exact = _left(findings, index), letters[index] in unequal
        checked = check_total(own, numeric[name], left, exact=exact)
        found.append(_total(name, total["shown"], numeric[name], checked))
    return found


def _left(findings: Mapping[str, Any], index: int) -> list[Left]:
    rows = []
    for one in findings.get("left_out", ()):
        value = amount(one["values"][index] or "") if index < len(one["values"]) else None
        number = value.value if value else Decimal(0)
        rows.append(Left(one["row"], one["why"], number, one["why"] == HIDDEN))
    return rows


def _total(name: str, shown: str, column: ColumnFigures, checked: Checked) -> dict[str, Any]:
    return {
        "column": name,
        "shown": shown,
        "sum": str(column.total),
        "places": column.places,
        "difference": str(checked.difference),
        "verdict": checked.verdict.value,
        "left": [[one.row, one.why, str(one.value)] for one in checked.left[:NAMED]],
        "more": max(len(checked.left) - NAMED, 0),
    }


def default_column(figures: Mapping[str, Any], net: str | None) -> str:
    """Net pay, else the last column of amounts; "" where there is none."""
    names = [column["name"] for column in figures.get("columns", ())]
    if net in names:
        return str(net)
    return names[-1] if names else ""

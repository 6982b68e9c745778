"""A column of a payroll in figures: its exact sum, its extremes, and whether the sheet's own total agrees.

Every sum is of what the cells show, by Decimal: what people are sent is what is added up.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from campaigns.workbooks.amounts import Amount, amount

#: How many of the largest and of the smallest are kept.
EXTREMES = 5


class Verdict(StrEnum):
    """What becomes of a total: equal; off by what cells are rounded to; explained by rows that are left
    out; or not explained."""

    EQUAL = "equal"
    ROUNDED = "rounded"
    EXPLAINED = "explained"
    DIFFERS = "differs"


@dataclass(order=True)
class _Ranked:
    """A row in a heap: by value, and of equals the earlier row first."""

    value: Decimal
    turn: int
    row: list[Any] = field(compare=False)


class ColumnFigures:
    """One column, fed row by row. `row` is what a page needs to show an extreme; it is kept as given."""

    def __init__(self) -> None:
        self.total = Decimal(0)
        self.count = 0
        self.odd = 0
        self.places = 0
        self.percent = False
        self._largest: list[_Ranked] = []
        self._smallest: list[_Ranked] = []

    def add(self, text: str, row: list[Any]) -> None:
        """A cell's text; blank ones are nothing."""
        if not text or text.isspace():
            return
        found = amount(text)
        if found is None:
            self.odd += 1
            return
        self.count += 1
        self.total += found.value
        self.places = max(self.places, found.places)
        self.percent = self.percent or found.percent
        _keep(self._largest, found.value, self.count, row)
        _keep(self._smallest, -found.value, self.count, row)

    @property
    def is_numeric(self) -> bool:
        """More numbers than other texts."""
        return self.count > self.odd

    @property
    def largest(self) -> list[list[Any]]:
        return [one.row for one in sorted(self._largest, reverse=True)]

    @property
    def smallest(self) -> list[list[Any]]:
        return [one.row for one in sorted(self._smallest, reverse=True)]


def _keep(heap: list[_Ranked], value: Decimal, turn: int, row: list[Any]) -> None:
    if len(heap) < EXTREMES:
        heapq.heappush(heap, _Ranked(value, -turn, row))
    elif value > heap[0].value:
        heapq.heapreplace(heap, _Ranked(value, -turn, row))


@dataclass(frozen=True)
class Left:
    """A row that nobody is sent: its number in the sheet, why, and its amount of one column."""

    row: int
    why: str
    value: Decimal
    hidden: bool = False


@dataclass(frozen=True)
class Checked:
    """A column's total beside the sum of what is sent; `left` are the rows that explain `difference`."""

    verdict: Verdict
    difference: Decimal
    left: Sequence[Left]


def check_total(
    own: Amount, column: ColumnFigures, left: Sequence[Left], *, exact: bool = False
) -> Checked:
    """The sheet's own total against the rows. A total may count hidden rows or not: both are right.

    `exact`: what the cells hold does not add up to it either, so rounding is no excuse.
    """
    difference = own.value - column.total
    counted = [one for one in left if one.value]
    allowed = Decimal(0) if exact else _rounding(own, column)
    if abs(difference) <= allowed:
        verdict = Verdict.ROUNDED if difference else Verdict.EQUAL
        return Checked(verdict, difference, [])
    for rows in ([one for one in counted if not one.hidden], counted):
        if abs(difference - sum((one.value for one in rows), Decimal(0))) <= allowed:
            return Checked(Verdict.EXPLAINED, difference, rows)
    return Checked(Verdict.DIFFERS, difference, counted)


def _rounding(own: Amount, column: ColumnFigures) -> Decimal:
    """Half a unit of the last decimal that is shown, for each row and the total: but only where a
    payroll rounds, below a whole unit; a difference of one is somebody's mistake."""
    unit = Decimal(1).scaleb(-max(own.places, column.places))
    if column.percent or own.percent:
        unit /= 100
    return min(unit * (column.count + 1) / 2, Decimal("0.99"))

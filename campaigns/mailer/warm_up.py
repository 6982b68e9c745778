"""Warm-up: how much a relay may send on each day of its ramp, until its full limit.

Receivers judge a new address or IP by how its volume grows; this is the arithmetic, a day at a time.
The amount becomes a calendar day's window (`throttle.Window` with a zone) beside the relay's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

#: Days: no ramp is longer.
LONGEST = 366


@dataclass(frozen=True, slots=True)
class Ramp:
    """`first` messages on `starts_on`, each day `factor` times as many; or the `table`, a day each.

    It ends on the first day whose amount would reach `full`. `factor` is above 1.
    """

    starts_on: date
    first: int
    factor: Decimal
    full: int
    table: tuple[int, ...] = ()

    def amount_on(self, day: date) -> int | None:
        """Messages on that day; None once the ramp is over. Before it begins, the first day's."""
        number = max(0, (day - self.starts_on).days)
        if self.table:
            amount = self.table[number] if number < len(self.table) else self.full
        else:
            amount = self._grown(number)
        return amount if amount < self.full and number < LONGEST else None

    def days(self) -> Iterator[tuple[date, int]]:
        """Every day of the ramp with its amount, then the first full day with the full amount."""
        for number in range(LONGEST + 1):
            day = self.starts_on + timedelta(days=number)
            amount = self.amount_on(day)
            yield day, self.full if amount is None else amount
            if amount is None:
                return

    def _grown(self, number: int) -> int:
        """Rounded down each day, but always at least one more than the day before."""
        amount = self.first
        for _ in range(number):
            if amount >= self.full:
                break
            amount = max(amount + 1, int(amount * self.factor))
        return amount

"""One sheet as a person sees it: rows of shown text, merges, what is hidden, what cannot be read.

Every container's reader fills a Sheet; everything after it (header, rows) sees nothing else.
Rows are kept compact, a list of strings and an array of numbers, since 100,000 of them must fit.
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from campaigns.workbooks.problems import ProblemKind

#: Excel's own bounds; a file that says more is lying.
MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384

#: Called with (done, total), both in the same unit, as reading goes on.
Tick = Callable[[int, int], None]

NAN = math.nan
_NUMBER_STARTS = frozenset("0123456789+-.($¥￥")
_NUMBER = re.compile(r"^[¥￥$]?\s*[-+]?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?%?$")


class Flaw(NamedTuple):
    """A cell that holds something which cannot be shown; `raw` is what the file says."""

    kind: ProblemKind
    raw: str
    format: str = ""


class Merge(NamedTuple):
    """A merged range, 1-based rows and 0-based columns, all inclusive."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(slots=True)
class SheetRow:
    """`texts[i]` is what column i shows; `numbers[i]` its value, NaN where it is no number."""

    number: int
    texts: list[str]
    numbers: array[float] | None = None
    hidden: bool = False

    def text(self, column: int) -> str:
        return self.texts[column] if column < len(self.texts) else ""

    def value(self, column: int) -> float | None:
        """The number in a column, also one kept as text; None if there is none."""
        if self.numbers is not None and column < len(self.numbers):
            number = self.numbers[column]
            if not math.isnan(number):
                return number
        return number_in(self.text(column))

    def is_blank(self) -> bool:
        return not any(text.strip() for text in self.texts)

    def filled(self, columns: Sequence[int]) -> list[int]:
        """Those of the columns that show anything."""
        texts, width = self.texts, len(self.texts)
        return [c for c in columns if c < width and texts[c] and not texts[c].isspace()]


def number_in(text: str) -> float | None:
    """The number that a text shows, with thousands, currency, percent or accounting brackets."""
    if text.isascii() and text.isdigit():
        return float(text) if len(text) <= 15 else None
    text = text.strip()
    if text[:1] not in _NUMBER_STARTS:
        return None
    sign = 1.0
    if text.startswith("(") and text.endswith(")"):
        text, sign = text[1:-1], -1.0
    if not text or not any(c.isdigit() for c in text) or not _NUMBER.match(text):
        return None
    plain = text.lstrip("¥￥$ ").replace(",", "").rstrip("%")
    if len(plain.lstrip("+-").split(".")[0]) > 15:
        return None
    return sign * float(plain) / (100 if text.endswith("%") else 1)


@dataclass(slots=True)
class Sheet:
    """A whole sheet; rows ascend by number, blank ones may be missing."""

    name: str
    rows: list[SheetRow] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    hidden_columns: set[int] = field(default_factory=set)
    flaws: dict[tuple[int, int], Flaw] = field(default_factory=dict)
    links: dict[tuple[int, int], str] = field(default_factory=dict)

    def row(self, number: int) -> SheetRow | None:
        at = bisect_left(self.rows, number, key=lambda row: row.number)
        return self.rows[at] if at < len(self.rows) and self.rows[at].number == number else None

    def text(self, number: int, column: int) -> str:
        row = self.row(number)
        return row.text(column) if row else ""

    def width(self) -> int:
        return max((len(row.texts) for row in self.rows), default=0)

    def is_blank(self) -> bool:
        return not self.flaws and all(row.is_blank() for row in self.rows)

    def fill_down(self, first_row: int) -> None:
        """Copies the value of vertically merged cells to every row of the merge, from a row on."""
        for merge in self.merges:
            if merge.bottom == merge.top or merge.top < first_row:
                continue
            text, link = self.text(merge.top, merge.left), self.links.get((merge.top, merge.left))
            flaw = self.flaws.get((merge.top, merge.left))
            start = bisect_left(self.rows, merge.top + 1, key=lambda row: row.number)
            for row in self.rows[start:]:
                if row.number > merge.bottom:
                    break
                self._fill(row, merge.left, text)
                if flaw:
                    self.flaws[row.number, merge.left] = flaw
                if link:
                    self.links[row.number, merge.left] = link

    def _fill(self, row: SheetRow, column: int, text: str) -> None:
        if text and not row.is_blank():
            row.texts.extend([""] * (column + 1 - len(row.texts)))
            row.texts[column] = text

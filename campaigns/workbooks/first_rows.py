"""The top of a sheet as it is, for a person to see what was taken for what, and to correct it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from campaigns.workbooks.grid import Sheet, SheetRow
from campaigns.workbooks.problems import column_letter

ROWS = 30
#: Rows further down that were left out are shown too, so that a total can be looked at.
MOST_LEFT_OUT = 20
_COLUMNS = 60
_LONGEST = 80


class FirstRows:
    """Made before values are filled down into merged cells: an empty cell is shown empty."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._columns = [c for c in range(sheet.width()) if c not in sheet.hidden_columns]
        self._rows = [self._shown(row) for row in sheet.rows[:ROWS]]

    def _shown(self, row: SheetRow) -> list[Any]:
        cells = [] if row.hidden else [row.text(c)[:_LONGEST] for c in self._columns[:_COLUMNS]]
        flawed = [] if row.hidden else [
            at for at, c in enumerate(self._columns[:_COLUMNS]) if (row.number, c) in self._sheet.flaws
        ]  # fmt: skip
        return [row.number, row.hidden, cells, flawed]

    def as_json(self, left_out: Collection[int]) -> dict[str, Any]:
        """rows: [number, hidden, cells, which of them cannot be read]; columns: the sheet's (from 0),
        visible ones alone, with their letters; merges: [top, left, bottom, right] that begin in these rows; more: how many
        columns and rows are not among them."""
        last = self._rows[-1][0] if self._rows else 0
        below = [self._sheet.row(number) for number in sorted(left_out) if number > last]
        rows = self._rows + [self._shown(row) for row in below[:MOST_LEFT_OUT] if row]
        shown = {row[0] for row in rows}
        return {
            "rows": rows,
            "columns": self._columns[:_COLUMNS],
            "letters": [column_letter(c) for c in self._columns[:_COLUMNS]],
            "merges": [list(merge) for merge in self._sheet.merges if merge.top in shown][:500],
            "more_columns": max(len(self._columns) - _COLUMNS, 0),
            "more_rows": max(len(self._sheet.rows) - len(rows), 0),
        }

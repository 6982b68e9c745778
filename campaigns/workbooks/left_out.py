"""Rows of people that yield no recipient, with what they show: they explain why a total differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from campaigns.workbooks.grid import SheetRow

HIDDEN, NO_ADDRESS, BY_HAND = "hidden row", "no address", "skipped by hand"
#: A sheet with more of them has another fault, which is said elsewhere.
KEPT = 500


class LeftOut:
    """Of one sheet; `columns` are the sheet's, in the order of the header's names."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def add(self, row: SheetRow, why: str, columns: Sequence[int]) -> None:
        if len(self._rows) < KEPT:
            values = [row.text(column) for column in columns]
            self._rows.append({"row": row.number, "why": why, "values": values})

    def as_json(self) -> list[dict[str, Any]]:
        """[{"row": the sheet's, "why": a code of REASONS or of this file, "values": as recipients'}]"""
        return self._rows

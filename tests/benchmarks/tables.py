"""What a benchmark found: tables for people, and figures for the JSON line at the end."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

Cell = str | int | float
Figure = float | int | str


@dataclass
class Findings:
    """`figures` are merged over all benchmarks into one JSON object, so their names are unique."""

    figures: dict[str, Figure] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Adds a table of text; numbers are right-aligned, floats shown with three digits."""
        shown = [list(header), *([_shown(cell) for cell in row] for row in rows)]
        widths = [max(_width(row[at]) for row in shown) for at in range(len(header))]
        lines = [f"\n{title}", *(_line(row, widths) for row in shown)]
        lines.insert(2, "  ".join("-" * width for width in widths))
        self.tables.append("\n".join(lines))


def _shown(cell: Cell) -> str:
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
    return cell


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for at, (text, width) in enumerate(zip(row, widths, strict=True)):
        room = " " * (width - _width(text))
        cells.append(text + room if at == 0 else room + text)
    return "  ".join(cells).rstrip()


def _width(text: str) -> int:
    """Columns of a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)

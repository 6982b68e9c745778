"""Figures as a page draws them: numbers as text with thousands, bars in hundredths of their width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from campaigns.workbooks.amounts import amount, shown
from campaigns.workbooks.column_figures import Verdict

WIDTH = 100


def total(one: Mapping[str, Any]) -> dict[str, Any]:
    """One of `figures`' totals; `left` has (row, why, amount as text) of each row that explains it."""
    own, ours = amount(one["shown"]), Decimal(one["sum"])
    difference = Decimal(one["difference"])
    places = max(one["places"], own.places if own else 0)
    share = ours / own.value if own and own.value else Decimal(1)
    return {
        "column": one["column"],
        "shown": one["shown"],
        "sum": shown(ours, places),
        "difference": _signed(difference, places) if difference else "",
        "fine": one["verdict"] in (Verdict.EQUAL, Verdict.ROUNDED),
        "verdict": one["verdict"],
        "left": [(row, why, shown(Decimal(value), places)) for row, why, value in one["left"]],
        "more": one["more"],
        "width": int(min(max(share, Decimal(0)), Decimal(1)) * WIDTH),
    }


def _signed(value: Decimal, places: int) -> str:
    return f"{'+' if value > 0 else ''}{shown(value, places)}"


def ranked(rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Extremes; a bar is relative to the largest of its own list."""
    values = [found.value if (found := amount(text)) else Decimal(0) for *_rest, text in rows]
    top = max((abs(value) for value in values), default=Decimal(0)) or Decimal(1)
    return [
        {
            "pk": pk,
            "number": number,
            "name": name,
            "text": text,
            "width": int(abs(value) / top * WIDTH),
            "negative": value < 0,
        }
        for (pk, number, name, text), value in zip(rows, values, strict=True)
    ]


def moved(rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """The largest changes of a column, as month_changes keeps them."""
    found = [_moved(*one) for one in rows]
    top = max((one["size"] for one in found), default=Decimal(1)) or Decimal(1)
    return [{**one, "width": int(one["size"] / top * WIDTH)} for one in found]


def _moved(pk: int, number: int, name: str, *rest: str | None) -> dict[str, Any]:
    old, new, difference, percent = rest
    text = str(difference)
    size = amount(text.lstrip("+"))
    return {
        "pk": pk,
        "number": number,
        "name": name,
        "text": text,
        "hint": f"{old} → {new}" + (f"（{percent}%）" if percent else ""),
        "negative": text.startswith("-"),
        "size": abs(size.value) if size else Decimal(0),
    }

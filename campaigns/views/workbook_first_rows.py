"""The first rows of a sheet for its page: what each was taken for, and which cells are merged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.models import Workbook
from campaigns.problem_texts import reason

LABELS: dict[str, Promise] = {
    "title": _("标题"),
    "header": _("表头"),
    "data": _("收件人"),
    "problem": _("有问题"),
    "skipped": _("略过"),
    "left": _("不再发"),
    "hidden": _("隐藏"),
    "blank": _("空行"),
}


def grid(workbook: Workbook, findings: dict[str, Any]) -> dict[str, Any] | None:
    """The first rows for the page; None for a reading from before they were kept."""
    first = findings.get("first_rows")
    if not first or not first.get("rows"):
        return None
    kinds = _Kinds(workbook, findings)
    return {
        "letters": first["letters"],
        "rows": list(_rows(first, kinds)),
        "more_rows": first["more_rows"],
        "more_columns": first["more_columns"],
        "undoable": len(workbook.choices.get("earlier", ())),
        "corrected": any(workbook.choices.get(name) for name in _CORRECTIONS),
    }


_CORRECTIONS = ("header_rows", "skipped", "unskipped", "address_column", "name_column")


class _Kinds:
    """What each row was taken for."""

    def __init__(self, workbook: Workbook, findings: dict[str, Any]) -> None:
        self.header = set(workbook.header_rows)
        self.first_data = max(self.header, default=0) + 1
        self.skipped = {row["row"]: row["why"] for row in findings.get("skipped_rows", ())}
        match, repair = findings.get("match") or {}, findings.get("repair") or {}
        without = (*match.get("unmatched", ()), *match.get("ambiguous", ()))
        self.problems = {row["row"] for row in (*findings.get("invalid", ()), *without)}
        self.unaddressed = workbook.address_column is None and not match
        self.left = {row for row, _verdict, _former in repair.get("rows", ())}
        self.by_hand = {
            *workbook.choices.get("skipped", ()),
            *workbook.choices.get("unskipped", ()),
        }

    def of(self, number: int, hidden: bool, cells: list[str]) -> str:
        if hidden:
            return "hidden"
        if number in self.header:
            return "header"
        if number in self.skipped:
            return "skipped"
        if not any(cell.strip() for cell in cells):
            return "blank"
        if number < self.first_data:
            return "title"
        if number in self.left:
            return "left"
        return "problem" if self.unaddressed or number in self.problems else "data"


def _rows(first: dict[str, Any], kinds: _Kinds) -> Iterator[dict[str, Any]]:
    spans = _spans(first)
    last = 0
    for number, hidden, cells, flawed in first["rows"]:
        kind = kinds.of(number, hidden, cells)
        why = kinds.skipped.get(number)
        yield {
            "number": number,
            "gap": number > last + 1 and last > 0,
            "kind": kind,
            "label": LABELS[kind],
            "why": reason(why) if why else "",
            "by_hand": number in kinds.by_hand,
            "cells": [
                {
                    "text": text,
                    "flawed": at in flawed,
                    "columns": spans.get((number, at), (1, 1))[0],
                    "rows": spans.get((number, at), (1, 1))[1],
                }
                for at, text in enumerate(cells)
                if spans.get((number, at)) != (0, 0)
            ],
        }
        last = number


def _spans(first: dict[str, Any]) -> dict[tuple[int, int], tuple[int, int]]:
    """(row, index of the column) → how many columns and rows a merged cell covers; (0, 0): covered."""
    order = [row[0] for row in first["rows"]]
    is_hidden = {row[0]: row[1] for row in first["rows"]}
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    for top, left, bottom, right in first["merges"]:
        across = [at for at, column in enumerate(first["columns"]) if left <= column <= right]
        down = []
        for number in order[order.index(top) :]:
            if number > bottom or is_hidden[number]:
                break
            down.append(number)
        for number in down:
            for at in across:
                spans[number, at] = (0, 0)
        if across and down:
            spans[down[0], across[0]] = (len(across), len(down))
    return spans

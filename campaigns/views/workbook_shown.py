"""What a reading found, as the page of a workbook shows it: sheet, columns, problems, totals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from campaigns.models import Workbook
from campaigns.models.workbook import Purpose
from campaigns.pipeline import blocks
from campaigns.problem_texts import GROUPS, ProblemKind, problem_sentence, reason
from campaigns.views.figures import totals_shown
from campaigns.views.workbook_first_rows import grid
from campaigns.views.workbook_match_shown import match
from campaigns.views.workbook_repair_shown import repair

# A kind with more problems has a page of its own.
MOST_OF_A_KIND = 50
SAMPLES = 5


def shown(workbook: Workbook) -> dict[str, Any]:
    """Everything of the reading that a person checks before confirming; opens sealed content."""
    findings = workbook.findings
    rows = opened_rows(workbook, SAMPLES)
    return {
        "columns": _columns(workbook, rows),
        "groups": groups(findings),
        "skipped": _skipped(findings),
        "grid": grid(workbook, findings),
        "match": match(workbook, findings),
        "lacks_addresses": workbook.address_column is None or _lacks_addresses(findings),
        "repair": repair(findings),
        "restored": workbook.choices.get("unskipped", []),
        **(
            totals_shown(workbook)
            if workbook.purpose == Purpose.PAYSLIP
            else {"list_totals": _totals(workbook, findings)}
        ),
        "hidden": findings.get("hidden") or {"sheets": [], "rows": [], "columns": []},
        "invalid_count": len(findings.get("invalid", ())),
        "duplicate_count": len(findings.get("duplicates", ())),
    }


def _lacks_addresses(findings: Mapping[str, Any]) -> bool:
    return any(one["kind"] == ProblemKind.NO_ADDRESS for one in findings.get("problems", ()))


def opened_rows(workbook: Workbook, limit: int, *, rows: Any = None) -> list[dict[str, Any]]:
    """The first rows, or these, with their values; a cell that cannot be read is None."""
    chosen = blocks.listed(workbook) if rows is None else rows
    return [
        {
            "number": row.number,
            "part": row.part,
            "address": row.address,
            **workbook.data_key.open_json(row.sealed),
        }
        for row in chosen[:limit]
    ]


def _columns(workbook: Workbook, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    roles = {workbook.name_column: "name", workbook.address_column: "address"}
    return [
        {
            "letter": column["letter"],
            "name": column["name"],
            "role": roles.get(index, "field"),
            "samples": [row["values"][index] for row in rows[:2] if row["values"][index]],
        }
        for index, column in enumerate(workbook.columns)
    ]


def groups(findings: Mapping[str, Any], *, limit: int = MOST_OF_A_KIND) -> list[dict[str, Any]]:
    """The problems by kind, the gravest first; the rows left out have a list of their own."""
    by_kind: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for problem in findings.get("problems", ()):
        by_kind[problem["kind"]].append(problem)
    return [
        {
            "kind": kind.value,
            "title": group.title,
            "severity": group.severity,
            "count": len(found),
            "more": max(len(found) - limit, 0),
            "problems": [
                {"severity": group.severity, "text": problem_sentence(problem)}
                for problem in found[:limit]
            ],
        }
        for kind, group in GROUPS.items()
        if kind is not ProblemKind.SKIPPED_ROW and (found := by_kind.get(kind.value))
    ]


def _skipped(findings: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"row": row["row"], "why": reason(row["why"])} for row in findings.get("skipped_rows", ())
    ]


def _totals(workbook: Workbook, findings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sheet's own totals beside ours; `differs` where the reader found them unequal."""
    letters = {column["name"]: column["letter"] for column in workbook.columns}
    unequal = {
        problem["column"]
        for problem in findings.get("problems", ())
        if problem["kind"] == ProblemKind.TOTAL_DIFFERS
    }
    return [
        {"column": name, **total, "differs": letters.get(name) in unequal}
        for name, total in findings.get("totals", {}).items()
        if total["shown"]
    ]

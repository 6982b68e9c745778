"""Addresses from the contacts, for a payroll's page: the question, and what did not match and why."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from campaigns.forms.workbook import MatchForm
from campaigns.models import Workbook
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline.match_addresses import attributes, is_ambiguous

NAMED = 50


def may_match(workbook: Workbook) -> bool:
    """A payroll that is not confirmed yet."""
    return workbook.purpose == Purpose.PAYSLIP and workbook.state == ReadingState.READ


def match_form(workbook: Workbook, given: QueryDict | None) -> MatchForm:
    number = workbook.findings.get("suggestions", {}).get("number", "")
    offered = attributes(workbook.team)
    return MatchForm(given, workbook=workbook, attributes=offered, number=number)


def match(workbook: Workbook, findings: dict[str, Any]) -> dict[str, Any] | None:
    """What the contacts gave; None where nobody asked them."""
    found = findings.get("match")
    if not found:
        return None
    columns = workbook.columns
    column = columns[found["column"]]["name"] if found["column"] < len(columns) else ""
    return {
        "matched": found["matched"],
        "is_ambiguous": is_ambiguous(findings),
        "column": column,
        "attribute": found["attribute"] or _("姓名"),
        "groups": [
            _group("error", _("对不准是谁"), found, "ambiguous", _ambiguous),
            _group("warning", _("联系人里没有"), found, "unmatched", _unmatched),
            _group("warning", _("姓名与联系人不同"), found, "differs", _differs),
        ],
    }


def _group(severity: str, title: str, found: dict[str, Any], name: str, say: Any) -> dict[str, Any]:
    problems = [{"severity": severity, "text": say(one)} for one in found[name][:NAMED]]
    total = found[f"{name}_count"]
    return {"title": title, "count": total, "more": total - len(problems), "problems": problems}


def _ambiguous(one: dict[str, Any]) -> str:
    if one["why"] == "contacts":
        return _(
            "第 %(row)d 行：联系人里有几位是它（%(contacts)s）。请改正联系人，或在表里填上邮箱，或略过这一行。"
        ) % {"row": one["row"], "contacts": _("、").join(one["contacts"])}
    rows = _("、").join(str(row) for row in one["rows"])
    return _(
        "第 %(row)d 行：与第 %(rows)s 行相同，却不是同一个人。请在表里改正，或填上邮箱，或略过这一行。"
    ) % {"row": one["row"], "rows": rows}


def _unmatched(one: dict[str, Any]) -> str:
    if one["why"] == "empty":
        return _("第 %(row)d 行：这一列是空的，也没有邮箱。") % {"row": one["row"]}
    return _("第 %(row)d 行：联系人里没有“%(number)s”。请加上这位联系人，或在表里填上邮箱。") % {
        "row": one["row"],
        "number": one["number"],
    }


def _differs(one: dict[str, Any]) -> str:
    return _("第 %(row)d 行：表里是“%(name)s”，联系人是“%(contact)s”，请核对是不是同一个人。") % one

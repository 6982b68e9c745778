"""Domain checks: each from-domain through each relay, what DNS lacks for it, and the record to publish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Right
from campaigns.domain_texts import PARTS, part_label, sentence
from campaigns.models import DomainCheck
from campaigns.pipeline import domain_check
from campaigns.views.access import member

# The gravest first; what problems.html calls it, and its word for a screen reader.
SEVERITIES = {
    "error": ("error", gettext_lazy("错误")),
    "warning": ("warning", gettext_lazy("警告")),
    "unchecked": ("notice", gettext_lazy("未能检查")),
    "notice": ("notice", gettext_lazy("提示")),
}
# Columns of the matrix; what is wrong with the domain itself stands before them.
COLUMNS = [part for part in PARTS if part != "domain"]
_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}


@member(Right.RELAYS)
@require_safe
def domains(request: HttpRequest) -> HttpResponse:
    """The matrix: a card for each domain, a line for each relay, a mark for each part."""
    return render(request, "campaigns/domains/list.html", _matrix(request))


@member(Right.RELAYS)
@require_safe
def domains_live(request: HttpRequest) -> HttpResponse:
    """The matrix alone; it polls itself while checks are under way."""
    return render(request, "campaigns/domains/matrix.html", _matrix(request))


def _matrix(request: HttpRequest) -> dict[str, Any]:
    rows = _rows(request).order_by("domain", "relay__name", "pk")
    cards = [
        {"domain": domain, "rows": [_line(row) for row in found]}
        for domain, found in groupby(rows, key=lambda row: row.domain)
    ]
    columns = [part_label(part) for part in COLUMNS]
    is_open = any(line["open"] for card in cards for line in card["rows"])
    return {"cards": cards, "columns": columns, "open": is_open}


@member(Right.RELAYS)
@require_safe
def domain(request: HttpRequest, pk: int) -> HttpResponse:
    """Every finding of one combination, with what to publish."""
    row = _row_or_404(request, pk)
    return render(request, "campaigns/domains/domain.html", {"row": row, **_shown(row)})


@member(Right.RELAYS)
@require_safe
def domain_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The section alone; it polls itself while a check is under way."""
    row = _row_or_404(request, pk)
    return render(request, "campaigns/domains/findings.html", {"row": row, **_shown(row)})


@member(Right.RELAYS)
@require_POST
def domain_recheck(request: HttpRequest, pk: int) -> HttpResponse:
    domain_check.ask(DomainCheck.objects.filter(pk=_row_or_404(request, pk).pk))
    return redirect("campaigns:domain", pk)


@member(Right.RELAYS)
@require_POST
def domains_recheck(request: HttpRequest) -> HttpResponse:
    """All of the team's, those of a relay that has only just been added included."""
    domain_check.sync(request.team)
    domain_check.ask(DomainCheck.objects.filter(team=request.team))
    return redirect("campaigns:domains")


@member(Right.RELAYS)
@require_POST
def domain_seen(request: HttpRequest, pk: int) -> HttpResponse:
    domain_check.acknowledge(DomainCheck.objects.filter(pk=_row_or_404(request, pk).pk))
    return redirect("campaigns:domain", pk)


def _line(row: DomainCheck) -> dict[str, Any]:
    """One line of the matrix."""
    worst = {part: _worst(_of_part(row.findings, part)) for part in (*COLUMNS, "domain")}
    whole = worst["domain"]
    return {
        "row": row,
        "open": domain_check.is_open(row),
        "words": _summary(row),
        "marks": [
            {"part": part_label(part), **_mark(row, part, worst[part], whole)} for part in COLUMNS
        ],
    }


def _mark(row: DomainCheck, part: str, severity: str, whole: str) -> dict[str, str]:
    """A symbol with its word; nothing is said of a part where the domain itself was not looked at."""
    if row.checked_at is None or (whole and not severity):
        return {"css": "none", "icon": "minus", "word": _("未检查")}
    if not severity and not _applies(row, part):
        return {"css": "none", "icon": "minus", "word": _("不适用")}
    if severity in ("", "notice"):
        return {"css": "ok", "icon": "circle-check", "word": _("正常")}
    icons = {"error": "circle-x", "warning": "alert-triangle", "unchecked": "question-mark"}
    css, word = SEVERITIES[severity]
    return {"css": css, "icon": icons[severity], "word": str(word)}


def _summary(row: DomainCheck) -> str:
    if row.checked_at is None:
        return _("等待第一次检查")
    grave = sum(finding["severity"] in ("error", "warning") for finding in row.findings)
    if grave:
        return ngettext("%(n)s 个问题", "%(n)s 个问题", grave) % {"n": grave}
    if _worst(row.findings) == "unchecked":
        return _("有的项目没能检查")
    return _("没有问题")


def _shown(row: DomainCheck) -> dict[str, Any]:
    """One combination as its templates want it."""
    ordered = sorted(row.findings, key=lambda finding: _RANK.get(finding["severity"], 0))
    return {
        "open": domain_check.is_open(row),
        "summary": _summary(row),
        "problems": [_problem(row.domain, finding) for finding in ordered],
        "facts": row.facts,
        "sound": _sound_parts(row),
    }


def _sound_parts(row: DomainCheck) -> list[str]:
    """The parts that nothing is said against: that they were looked at is worth a word too."""
    if row.checked_at is None or any(_of_part(row.findings, "domain")):
        return []
    parts = [part for part in COLUMNS if not any(_of_part(row.findings, part))]
    return [part_label(part) for part in parts if _applies(row, part)]


def _applies(row: DomainCheck, part: str) -> bool:
    """A provider's servers have its own reverse names, which are not looked at."""
    return part != "ptr" or bool(row.facts.get("addresses"))


def _problem(domain: str, finding: Mapping[str, Any]) -> dict[str, Any]:
    css, word = SEVERITIES.get(finding["severity"], SEVERITIES["error"])
    record = finding.get("record")
    short = ""
    if record and record["name"].endswith(f".{domain}"):
        short = record["name"].removesuffix(f".{domain}")
    return {
        "css": css,
        "word": word,
        "icon": {"error": "circle-x", "warning": "alert-triangle"}.get(css, "info-circle"),
        "part": part_label(finding["part"]),
        "text": sentence(finding),
        "record": record,
        "short": short or ("@" if record and record["name"] == domain else ""),
    }


def _of_part(findings: Iterable[Mapping[str, Any]], part: str) -> list[Mapping[str, Any]]:
    return [finding for finding in findings if finding["part"] == part]


def _worst(findings: Iterable[Mapping[str, Any]]) -> str:
    """The gravest severity; "" where there is no finding."""
    return min((finding["severity"] for finding in findings), key=_RANK.__getitem__, default="")


def _rows(request: HttpRequest) -> QuerySet[DomainCheck]:
    # The relay's secret is not needed; left out, it is not decrypted.
    rows = DomainCheck.objects.filter(team=request.team).select_related("relay")
    return rows.defer("relay__secret", "relay__ca_pem")


def _row_or_404(request: HttpRequest, pk: int) -> DomainCheck:
    return get_object_or_404(_rows(request), pk=pk)

"""Before a launch: do the sheet's own totals agree, and what is different from the month before?

Column names and numbers of people alone: amounts and names stay with the pages of who may read them.
"""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.models import Campaign, Comparison
from campaigns.models.comparison import Extent
from campaigns.models.content import ContentDestroyed
from campaigns.pipeline.comparison import FAILED, is_current
from campaigns.pipeline.month_changes import Kind
from campaigns.pipeline.preflight_finding import INFO, WARN, Finding
from campaigns.workbooks.column_figures import Verdict

# Column names that a finding quotes; the page lists them all.
QUOTED = 8
_BAD = (Verdict.DIFFERS, Verdict.EXPLAINED)


def totals(campaign: Campaign) -> Iterator[Finding]:
    """A payroll whose sheet has a total row: equal, or in which columns not."""
    workbook = campaign.workbook
    if workbook is None or not campaign.is_payslip or workbook.is_destroyed:
        return
    if workbook.figures_due:
        yield Finding("totals_pending", INFO)
        return
    try:
        found = workbook.figures.get("totals", ())
    except ContentDestroyed:
        return
    unequal = [one["column"] for one in found if one["verdict"] in _BAD]
    if unequal:
        params = {"columns": "、".join(unequal[:QUOTED])}
        rest = {"total": len(unequal), "fix": "workbook", "fix_id": workbook.pk}
        yield Finding("totals_differ", WARN, params, **rest)
    elif found:
        yield Finding("totals_equal", INFO, {"number": len(found)})


def compared(campaign: Campaign) -> Iterator[Finding]:
    """What the comparison found, as far as there is one."""
    if not campaign.is_payslip or campaign.workbook is None:
        return
    row = Comparison.objects.select_related("against").defer("sealed").filter(campaign=campaign)
    comparison = row.first()
    if comparison is None:
        return
    if comparison.ended_at is None:
        yield Finding("compare_pending", INFO)
        return
    if not is_current(comparison, campaign):
        yield Finding("compare_stale", INFO)
        return
    if comparison.counts.get(FAILED):
        return
    yield from _counted(comparison, campaign)


def _counted(comparison: Comparison, campaign: Campaign) -> Iterator[Finding]:
    name = comparison.against.name if comparison.against else ""
    if comparison.extent == Extent.ADDRESSES:
        yield Finding("compare_addresses", INFO, {"name": name})
    quiet = True
    for kind in Kind:
        if not (number := comparison.counts.get(kind, 0)):
            continue
        params = {"name": name, "share": comparison.share}
        severity = WARN
        if kind == Kind.SAME:
            # Some people's pay is the same each month; when most of it is, it may be last month's file.
            severity = WARN if number * 2 > campaign.workbook.row_count else INFO
        quiet = quiet and severity == INFO
        rest = {"total": number, "fix": "campaign_comparison", "fix_id": campaign.pk}
        yield Finding(f"compare_{kind}", severity, params, **rest)
    if quiet and comparison.extent == Extent.FULL:
        yield Finding("compare_quiet", INFO, {"name": name})

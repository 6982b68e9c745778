"""Before a launch: does the layout fit this month's columns, and is the campaign's own subject right?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from campaigns.mailer.template import TemplateSource, check, fields_used
from campaigns.models import Campaign
from campaigns.pipeline.layouts import difference, drawn_of, names_of
from campaigns.pipeline.preflight_finding import BLOCK, Finding
from campaigns.pipeline.sheet_rows import ADDRESS_FIELD, NAME_FIELD

# Column names that a finding quotes; the layout's page lists them all.
QUOTED = 8


def layout_findings(campaign: Campaign) -> Iterator[Finding]:
    """A column that is gone, or new and neither shown nor hidden by anybody, waits for HR's decision."""
    if campaign.subject:
        yield from _subject(campaign)
    drawn = drawn_of(campaign)
    if drawn is None or campaign.workbook is None:
        return
    missing, unplaced = difference(drawn.layout, campaign.workbook)
    if missing:
        yield Finding("layout_missing", BLOCK, **_named(campaign, missing))
    if unplaced:
        yield Finding("layout_new", BLOCK, **_named(campaign, unplaced))


def _named(campaign: Campaign, names: Sequence[str]) -> dict[str, Any]:
    params = {"columns": "、".join(names[:QUOTED])}
    return {"params": params, "total": len(names), "fix": "layout", "fix_id": campaign.layout_id}


def _subject(campaign: Campaign) -> Iterator[Finding]:
    """Merge fields that do not exist; and amounts have no business on a lock screen."""
    names = None
    if campaign.workbook is not None:
        names = {*names_of(campaign.workbook), ADDRESS_FIELD, NAME_FIELD}
    source = TemplateSource(campaign.subject, "<p>.</p>")
    for fault in check(source, names):
        params = {"text": fault.text}
        yield Finding("subject_fault", BLOCK, params, fix="campaign_edit")
    clear = fields_used(source) - {ADDRESS_FIELD, NAME_FIELD}
    if campaign.attachment and clear:
        params = {"fields": "、".join(sorted(clear)[:QUOTED])}
        yield Finding("subject_in_clear", BLOCK, params, fix="campaign_edit")

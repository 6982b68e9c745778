"""What a pre-flight says of opens and clicks: that they are counted, and what a reader may be told."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.mailer.template import TemplateFaults
from campaigns.models import Campaign
from campaigns.models.tracking import Tracking
from campaigns.pipeline.compose import Unsendable, source_of
from campaigns.pipeline.preflight_finding import INFO, Finding
from campaigns.pipeline.tracked import marked


def tracking_findings(campaign: Campaign) -> Iterator[Finding]:
    """Of a newsletter alone; a template with faults has findings of its own."""
    if campaign.is_payslip or not campaign.tracking:
        return
    try:
        marks = marked(source_of(campaign))
    except (TemplateFaults, Unsendable):
        return
    params = {"links": len(marks.targets)}
    if campaign.tracking == Tracking.INDIVIDUAL:
        yield Finding("tracks_individuals", INFO, params)
    else:
        yield Finding("tracks_totals", INFO, params)
    if marks.left:
        yield Finding("links_left_alone", INFO, {"links": len(marks.left)})

"""Lint: what a campaign's message looks like to its readers and to their spam filters.

It composes the message of the first recipient, exactly as it would be sent, and looks at that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from campaigns.mailer.lint import LintFinding, lint
from campaigns.mailer.spamc import SpamcFailure, SpamVerdict, ask_spamc, find_spamc
from campaigns.models import Campaign
from campaigns.pipeline import preview

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Linted:
    """`spam` is None where SpamAssassin is not installed, or (`spam_failed`) gave no answer."""

    findings: tuple[LintFinding, ...]
    octets: int
    spam: SpamVerdict | None = None
    spam_failed: bool = False


def lint_campaign(campaign: Campaign) -> Linted | None:
    """None without a recipient; raises Unsendable where the message cannot be composed."""
    recipient = preview.recipients(campaign).first()
    if recipient is None:
        return None
    shown = preview.show(campaign, preview.delivery_for(campaign, recipient))
    findings = tuple(lint(shown.source, newsletter=not campaign.is_payslip))
    spam, failed = (None, False) if campaign.is_payslip else _spam(shown.source)
    return Linted(findings, len(shown.source), spam, failed)


def _spam(source: bytes) -> tuple[SpamVerdict | None, bool]:
    """A payslip is never asked about: spamd may run on another machine."""
    program = find_spamc()
    if program is None:
        return None, False
    try:
        return ask_spamc(source, program=program), False
    except SpamcFailure as failure:
        log.warning("SpamAssassin gave no verdict: %s", failure)
        return None, True

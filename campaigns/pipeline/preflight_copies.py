"""Whether payslips would stay in the Sent folder of the account that they go through.

Some providers file a copy of what is submitted by SMTP. Nobody can ask them over SMTP, so that the
pre-flight warns until a person has looked.
"""

from __future__ import annotations

from collections.abc import Iterator

from accounts.presets import preset_of
from campaigns.models import Campaign
from campaigns.pipeline.preflight_finding import WARN, Finding
from campaigns.pipeline.shares import carriers_of


def copies(campaign: Campaign) -> Iterator[Finding]:
    """One finding for each relay whose account may keep copies, and about which nobody has said otherwise."""
    if not campaign.is_payslip:
        return
    for carrier in carriers_of(campaign):
        relay, preset = carrier.relay, preset_of(carrier.relay.preset)
        if preset is None or not preset.keeps_copies:
            continue
        if relay.copies_settled_at is None:
            params = {"relay": relay.name, "where": preset.copies_note}
            yield Finding("sent_copies", WARN, params, subject=relay.pk)

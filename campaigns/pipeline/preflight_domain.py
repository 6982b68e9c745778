"""What the last domain checks of a campaign's from-domain and relays found; nobody is asked now."""

from __future__ import annotations

import json
from collections.abc import Iterator

from campaigns.mailer.address import AddressFault, domain_of
from campaigns.mailer.domain.findings import Code, Severity
from campaigns.models import Campaign, DomainCheck
from campaigns.pipeline.preflight_finding import WARN, Finding
from campaigns.pipeline.shares import Carrier

# The pre-flight says this itself, and knows it at once.
_SAID_ALREADY = (Code.DKIM_NO_KEY,)


def domain_findings(campaign: Campaign, carriers: list[Carrier]) -> Iterator[Finding]:
    """Each grave finding as a warning: DNS is the administrator's, and may be mended while the mail goes out."""
    relays = [carrier.relay.pk for carrier in carriers]
    try:
        domain = domain_of(campaign.from_address)
    except AddressFault:
        return
    said: set[str] = set()
    for row in DomainCheck.objects.filter(relay__in=relays, domain=domain).order_by("pk"):
        for found in row.findings:
            is_grave = found["severity"] in (Severity.ERROR, Severity.WARNING)
            # What is true of the domain through every relay is said once.
            key = json.dumps(found, sort_keys=True, ensure_ascii=False)
            if is_grave and found["code"] not in _SAID_ALREADY and key not in said:
                said.add(key)
                yield Finding("domain_finding", WARN, {"dns": found}, fix="domain", fix_id=row.pk)

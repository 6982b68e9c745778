"""What the last domain check of a campaign's from-domain and relay found; nobody is asked now."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.mailer.address import AddressFault, domain_of
from campaigns.mailer.domain.findings import Code, Severity
from campaigns.models import Campaign, DomainCheck
from campaigns.pipeline.preflight_finding import WARN, Finding

# The pre-flight says this itself, and knows it at once.
_SAID_ALREADY = (Code.DKIM_NO_KEY,)


def domain_findings(campaign: Campaign) -> Iterator[Finding]:
    """Each grave finding as a warning: DNS is the administrator's, and may be mended while the mail goes out."""
    if campaign.relay_id is None:
        return
    try:
        domain = domain_of(campaign.from_address)
    except AddressFault:
        return
    row = DomainCheck.objects.filter(relay=campaign.relay_id, domain=domain).first()
    if row is None:
        return
    for found in row.findings:
        is_grave = found["severity"] in (Severity.ERROR, Severity.WARNING)
        if is_grave and found["code"] not in _SAID_ALREADY:
            yield Finding("domain_finding", WARN, {"dns": found}, fix="domain", fix_id=row.pk)

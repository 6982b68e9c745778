"""Preflight: everything that should be known before a campaign is launched, all of it at once.

A finding is a code with parameters and places; `views/findings.py` says it in the reader's language.
It names cells and addresses, never what a cell holds.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from accounts.models import Relay, SigningKey
from campaigns.mailer.template import extras_used
from campaigns.models import Campaign
from campaigns.models.workbook import ReadingState
from campaigns.pipeline.preflight_attachment import attachments
from campaigns.pipeline.preflight_audience import Audience, audience_of, dead_addresses
from campaigns.pipeline.preflight_copies import copies
from campaigns.pipeline.preflight_domain import domain_findings
from campaigns.pipeline.preflight_enclosures import enclosures
from campaigns.pipeline.preflight_figures import compared, totals
from campaigns.pipeline.preflight_finding import BLOCK, INFO, WARN, Finding, Place
from campaigns.pipeline.preflight_layout import layout_findings
from campaigns.pipeline.preflight_limits import limits
from campaigns.pipeline.preflight_match import completes, matched
from campaigns.pipeline.preflight_repeat import repeats
from campaigns.pipeline.preflight_tracking import tracking_findings
from campaigns.pipeline.prepare import faults_of, source_of_template
from campaigns.pipeline.shares import Carrier, carriers_of

__all__ = ["BLOCK", "INFO", "WARN", "Finding", "Place", "blocks", "check", "dead_addresses"]


def check(campaign: Campaign) -> list[Finding]:
    """What blocks a launch, then what warns, then what is good to know; changes nothing."""
    carriers = carriers_of(campaign)
    found = [*_sender(campaign, carriers), *_links(campaign)]
    audience = audience_of(campaign)
    if audience is None:
        found.append(Finding("no_audience", BLOCK, fix="campaign_edit"))
    else:
        found += _template(campaign, audience)
        found += audience.findings()
        found += layout_findings(campaign)
        found += attachments(campaign)
        found += enclosures(campaign)
        found += totals(campaign)
        found += compared(campaign)
        found += repeats(campaign)
        found += matched(campaign)
        found += completes(campaign)
        found += limits(campaign, audience.recipients)
        found += tracking_findings(campaign)
    found += copies(campaign)
    found += domain_findings(campaign, carriers)
    order = (BLOCK, WARN, INFO)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def blocks(findings: list[Finding]) -> bool:
    return any(finding.severity == BLOCK for finding in findings)


def _sender(campaign: Campaign, carriers: list[Carrier]) -> Iterator[Finding]:
    """Relays and from-address."""
    if not carriers:
        yield Finding("no_relay", BLOCK, fix="campaign_edit")
        return
    for carrier in carriers:
        yield from _relay(campaign, carrier.relay)
    yield from _key(campaign)


def _relay(campaign: Campaign, relay: Relay) -> Iterator[Finding]:
    """Each chosen relay: one that takes over later must be able to, too."""
    if not relay.enabled:
        yield Finding("relay_disabled", BLOCK, {"relay": relay.name}, fix="campaign_edit")
    if relay.parked_until and relay.parked_until > timezone.now():
        params = {"relay": relay.name, "until": relay.parked_until, "reason": relay.park_reason}
        yield Finding("relay_parked", WARN, params, fix="relays")
    if not relay.may_send_as(campaign.from_address):
        params = {
            "address": campaign.from_address,
            "relay": relay.name,
            "allowed": "、".join(relay.from_addresses[:8]),
        }
        yield Finding("from_not_allowed", BLOCK, params, fix="campaign_edit")


def _key(campaign: Campaign) -> Iterator[Finding]:
    domain = campaign.from_address.rpartition("@")[2].lower()
    keys = SigningKey.objects.filter(Q(active=True) | Q(waiting=True), team=campaign.team_id)
    signing = keys.filter(domain=domain).values_list("active", flat=True)
    if not signing:
        yield Finding("no_key", WARN, {"domain": domain}, fix="keys")
    elif not any(signing):
        yield Finding("key_waiting", WARN, {"domain": domain}, fix="keys")


def _links(campaign: Campaign) -> Iterator[Finding]:
    """A newsletter carries its unsubscribe link, a payslip that is to be confirmed the one of its
    page: both must open wherever their readers are."""
    if campaign.is_payslip and not campaign.confirm_days:
        return
    if campaign.team.intranet_links_allowed:
        return
    if not is_public(settings.PUBLIC_URL):
        yield Finding("public_url", BLOCK, {"url": settings.PUBLIC_URL})


def is_public(url: str) -> bool:
    """HTTPS, and by its name or number neither this host nor a private network. Asks no DNS."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    if parts.scheme != "https" or not host:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        inner = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet", ".corp")
        return "." in host and not host.endswith(inner)


def _template(campaign: Campaign, audience: Audience) -> Iterator[Finding]:
    template = campaign.template
    workbook = campaign.workbook
    if workbook is not None and workbook.state != ReadingState.CONFIRMED:
        yield Finding("workbook_unconfirmed", BLOCK, {"name": workbook.name}, fix="workbooks")
    if template is None:
        if campaign.layout is None:
            yield Finding("no_template", BLOCK, fix="campaign_edit")
        return
    for fault in faults_of(template, audience.field_names):
        params = {
            "part": fault.part,
            "line": fault.line,
            "column": fault.column,
            "text": fault.text,
        }
        yield Finding("template_fault", BLOCK, params, fix="template", fix_id=template.pk)
    if campaign.confirm_days and "confirm_url" not in extras_used(source_of_template(template)):
        yield Finding("no_confirm_link", BLOCK, fix="template", fix_id=template.pk)

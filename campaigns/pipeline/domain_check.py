"""Domain checks: every from-domain of every relay is examined once a day, and what has become worse raises an alarm.

`sync` keeps a row for each combination, `due` names the rows to do, `run` does one. The command asks `examine`
directly, and stores nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import dns.exception
import dns.resolver
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Relay, SigningKey, Team
from campaigns.mailer.address import AddressFault, domain_of
from campaigns.mailer.domain.dkim_record import SigningRecord
from campaigns.mailer.domain.doctor import Report, Route, Subject
from campaigns.mailer.domain.doctor import examine as examine_subject
from campaigns.mailer.domain.findings import Severity
from campaigns.mailer.signing import Algorithm
from campaigns.models import DomainCheck
from campaigns.models.signals import announce

log = logging.getLogger(__name__)

AGAIN = timedelta(days=1)
# After a check that DNS did not answer, or that a worker did not finish.
SOON = timedelta(hours=1)
# Longer than an examination may take (mailer.domain.lookups.Limits): a lease that ran out is a dead worker's.
LEASE = timedelta(minutes=3)
# How many are begun at once: nobody's name server is asked for thousands of domains in one second.
BATCH = 50

# No check needs them: left out, they are not decrypted, and a lost key breaks nothing.
_SECRETS = ("secret", "ca_pem", "bounce_mailbox__secret", "bounce_mailbox__ca_pem")

GRAVE = (Severity.ERROR, Severity.WARNING)


def system_resolver() -> dns.resolver.Resolver:
    """The name servers of DNS_SERVERS ("223.5.5.5" or "127.0.0.1:5353"), else the system's.

    A company's own name servers often answer its own domain differently than the world's do.
    """
    if not settings.DNS_SERVERS:
        try:
            return dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            return dns.resolver.Resolver(configure=False)
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [host for host, _port in settings.DNS_SERVERS]
    resolver.nameserver_ports = dict(settings.DNS_SERVERS)
    return resolver


def examine(domain: str, relay: Relay | None, team: Team | None) -> Report:
    """What the doctor says now, for the keys that this team (None: anybody) signs with; without a relay of the
    domain alone."""
    keys = SigningKey.objects.filter(domain=domain, active=True)
    if team is not None:
        keys = keys.filter(team=team)
    records = [
        SigningRecord(selector, Algorithm(algorithm), public)
        for selector, algorithm, public in keys.order_by("algorithm", "pk").values_list(
            "selector", "algorithm", "public_key"
        )
    ]
    subject = Subject(domain, records, route_of(relay) if relay else None)
    return examine_subject(subject, system_resolver(), clock=time.monotonic)


def route_of(relay: Relay) -> Route:
    """How the relay's mail leaves; the return path is asked for as in pipeline/compose.py."""
    return_domain = ""
    mailbox = relay.bounce_mailbox
    if relay.own_return_path and mailbox is not None:
        return_domain = _domain(mailbox.return_path_pattern or mailbox.address)
    return Route(
        relay.name,
        relay.host,
        relay.preset,
        return_domain,
        is_direct=relay.is_direct,
        source=relay.source_ip or "",
    )


def domains_of(relay: Relay) -> set[str]:
    """The domains that a relay may send from, as A-labels."""
    return {domain for entry in relay.from_addresses if (domain := _domain(entry))}


def relays_for(domain: str, name: str = "") -> list[Relay]:
    """The relays of this name, whatever they may send; without one the enabled ones that may send from the domain."""
    rows = Relay.objects.select_related("team", "bounce_mailbox").defer(*_SECRETS)
    if name:
        return list(rows.filter(name=name))
    return [relay for relay in rows.filter(enabled=True) if domain in domains_of(relay)]


def domain_as_labels(text: str) -> str:
    """A domain as a person writes it, in lower-case A-labels; "" for what is none."""
    return _domain(text.strip().rstrip("."))


def _domain(address: str) -> str:
    """ "" for what is no address: it cannot be sent from either."""
    try:
        return domain_of(f"x@{str(address).rpartition('@')[2]}")
    except AddressFault:
        return ""


# Rows ---------------------------------------------------------------------------------------------


def sync(team: Team | None = None) -> None:
    """Rows for all combinations that are there, and none for those that are gone."""
    relays = Relay.objects.filter(enabled=True).only("pk", "team_id", "from_addresses")
    rows = DomainCheck.objects.all()
    if team is not None:
        relays, rows = relays.filter(team=team), rows.filter(team=team)
    wanted = {(relay.pk, domain): relay.team_id for relay in relays for domain in domains_of(relay)}
    known = {
        (relay, domain): pk for pk, relay, domain in rows.values_list("pk", "relay_id", "domain")
    }
    gone = [pk for pair, pk in known.items() if pair not in wanted]
    if gone:
        DomainCheck.objects.filter(pk__in=gone).delete()
    new = [
        DomainCheck(team_id=team_id, relay_id=relay_id, domain=domain, due_at=timezone.now())
        for (relay_id, domain), team_id in wanted.items()
        if (relay_id, domain) not in known
    ]
    DomainCheck.objects.bulk_create(new, ignore_conflicts=True)


def due() -> list[int]:
    """Ids to examine now, the longest overdue first."""
    return list(_free().order_by("due_at").values_list("pk", flat=True)[:BATCH])


def ask(rows: QuerySet[DomainCheck]) -> None:
    """Makes these rows due at once; what is under way already is not begun again."""
    ids = list(rows.values_list("pk", flat=True))
    DomainCheck.objects.filter(pk__in=ids).update(due_at=timezone.now())
    for pk in ids:
        announce("check_domain", pk)


def is_open(row: DomainCheck) -> bool:
    """Whether somebody who waits at the page will see something new soon."""
    return row.due_at <= timezone.now()


def run(row_id: int) -> None:
    """Examines one row, unless another worker has it or it is not due. Raises nothing."""
    now = timezone.now()
    if not _free().filter(pk=row_id).update(lease_until=now + LEASE):
        return
    rows = DomainCheck.objects.select_related("team", "relay__bounce_mailbox")
    row = rows.defer(*(f"relay__{field}" for field in _SECRETS)).filter(pk=row_id).first()
    if row is None:
        return
    try:
        report = examine(row.domain, row.relay, row.team)
    except Exception as error:
        log.error("Domain check %s broke off: %s", row.pk, type(error).__name__)
        DomainCheck.objects.filter(pk=row.pk).update(lease_until=None, due_at=now + SOON)
        return
    _store(row, [finding.as_json() for finding in report.findings], dict(report.facts))


def _free() -> QuerySet[DomainCheck]:
    now = timezone.now()
    return DomainCheck.objects.filter(
        Q(lease_until=None) | Q(lease_until__lte=now), due_at__lte=now
    )


def _store(row: DomainCheck, found: list[dict[str, Any]], facts: dict[str, Any]) -> None:
    """Keeps what was known of a part that DNS did not answer about: silence is no change."""
    now = timezone.now()
    unchecked = {finding["part"] for finding in found if finding["severity"] == Severity.UNCHECKED}
    kept = [
        finding
        for finding in row.findings
        if _is_silent(finding["part"], unchecked) and finding["severity"] != Severity.UNCHECKED
    ]
    findings = [*(finding for finding in found if finding not in kept), *kept]
    values: dict[str, Any] = {
        "findings": findings,
        "facts": {**row.facts, **facts} if unchecked else facts,
        "checked_at": now,
        "due_at": now + (SOON if unchecked else AGAIN),
        "lease_until": None,
    }
    before, after = _marks(row.findings), _marks(findings)
    if row.checked_at is not None and before != after:
        values["changed_at"] = now
    if row.checked_at is not None and after - before:
        values["alarm_at"] = now
    elif not after:
        values["alarm_at"] = None
    DomainCheck.objects.filter(pk=row.pk).update(**values)


def _is_silent(part: str, unchecked: set[str]) -> bool:
    """A domain that could not be looked at hides all of its parts."""
    return part in unchecked or "domain" in unchecked


def _marks(findings: Iterable[dict[str, Any]]) -> set[str]:
    """What tells two states apart: the grave findings with the place they are about, not their whole wording."""
    return set(_each_mark(findings))


def _each_mark(findings: Iterable[dict[str, Any]]) -> Iterator[str]:
    for finding in findings:
        if finding["severity"] in GRAVE:
            params = finding["params"]
            where = params.get("name") or params.get("host") or params.get("where") or ""
            yield f"{finding['code']} {where}"


# For the pages ------------------------------------------------------------------------------------


def alarms(team: Team) -> QuerySet[DomainCheck]:
    """Rows with something grave that is new and that nobody has acknowledged."""
    return DomainCheck.objects.filter(team=team, alarm_at__isnull=False)


def acknowledge(rows: QuerySet[DomainCheck]) -> None:
    rows.update(alarm_at=None)

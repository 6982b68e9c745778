"""Whether a domain can take mail: answers and bounces come back to it (RFC 5321 section 5.1, RFC 7505)."""

import ipaddress
from collections.abc import Iterator

from campaigns.mailer.domain.findings import Code, DomainFinding, Record, printable
from campaigns.mailer.domain.lookups import Lookups, Unanswered

#: Hosts that are looked up; a domain with more has them from a provider.
_HOSTS = 10


def check_mx(domain: str, lookups: Lookups, *, takes_bounces: bool) -> list[DomainFinding]:
    """Raises nothing: no answer is a finding too. `takes_bounces`: the domain is that of the return path."""
    try:
        return list(_faults(domain, lookups, takes_bounces=takes_bounces))
    except Unanswered as failure:
        params = {"name": printable(failure.name), "type": failure.rdtype, "reason": failure.reason}
        return [DomainFinding(Code.MX_UNCHECKED, params)]


def _faults(domain: str, lookups: Lookups, *, takes_bounces: bool) -> Iterator[DomainFinding]:
    hosts = lookups.exchanges(domain)
    if not hosts:
        code = Code.MX_BOUNCE_MISSING if takes_bounces else Code.MX_MISSING
        if lookups.addresses(domain):
            code = Code.MX_FALLBACK
        yield DomainFinding(code, {"domain": domain}, Record("MX", domain, f"10 mail.{domain}."))
        return
    if "" in hosts:
        yield DomainFinding(Code.MX_NULL, {"domain": domain})
        return
    for host in hosts[:_HOSTS]:
        yield from _host(domain, host, lookups)


def _host(domain: str, host: str, lookups: Lookups) -> Iterator[DomainFinding]:
    params = {"domain": domain, "host": printable(host)}
    if _is_address(host):
        yield DomainFinding(Code.MX_ADDRESS, params)
        return
    if lookups.find(host, "A").is_alias:
        yield DomainFinding(Code.MX_ALIAS, params)
    addresses = lookups.addresses(host)
    if not addresses:
        yield DomainFinding(Code.MX_UNRESOLVED, params)
    elif not any(address.is_global for address in addresses):
        yield DomainFinding(Code.MX_PRIVATE, {**params, "address": str(addresses[0])})


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True

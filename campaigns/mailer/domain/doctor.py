"""One examination: a from-domain as it is sent through one relay, with everything that a receiver will check.

The order is a receiver's: does the domain exist, SPF of the envelope, the DKIM records, DMARC with the alignment of
exactly this combination, then where answers and bounces go, and the reverse name of a server of one's own.
"""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from campaigns.mailer.domain import dmarc
from campaigns.mailer.domain.dkim_record import DkimResult, SigningRecord, check_dkim
from campaigns.mailer.domain.dmarc import DmarcResult, aligned, check_dmarc
from campaigns.mailer.domain.findings import Code, DomainFinding
from campaigns.mailer.domain.lookups import IpAddress, Limits, Lookups, Resolver, Unanswered
from campaigns.mailer.domain.mx import check_mx
from campaigns.mailer.domain.providers import FREE_MAIL_DOMAINS, Provider, provider_of, sends_for
from campaigns.mailer.domain.ptr import check_ehlo, check_ptr
from campaigns.mailer.domain.spf import Outbound, SpfResult, check_spf
from campaigns.mailer.domain.spf import unchecked as spf_unchecked

#: Names that no public DNS has (RFC 2606, RFC 6761, RFC 6762, RFC 9476): nobody is asked about them.
_RESERVED = ("test", "example", "invalid", "localhost", "local", "internal", "onion", "alt")


@dataclass(frozen=True, slots=True)
class Route:
    """How mail leaves: the relay's name, its SMTP host and preset, and the domain of the return path that we ask
    for ("" for the from-domain). `is_direct`: we are that host ourselves, and send from `source` ("" where nobody
    chose an address)."""

    name: str
    host: str
    preset: str = ""
    return_domain: str = ""
    is_direct: bool = False
    source: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined; `domain` in lower-case A-labels. Without a route only the domain itself is looked at."""

    domain: str
    keys: Sequence[SigningRecord] = ()
    route: Route | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The mistakes, and what was found on the way: SPF record, its look-ups and tree, DMARC policy and its place.

    `facts` holds spf_record, spf_lookups, spf_tree, dmarc_policy, dmarc_at, and the addresses of a server of one's
    own, as far as they are known.
    """

    findings: tuple[DomainFinding, ...]
    facts: Mapping[str, object] = field(default_factory=dict)


def examine(
    subject: Subject,
    resolver: Resolver,
    *,
    clock: Callable[[], float],
    limits: Limits | None = None,
) -> Report:
    """Every mistake, once. Takes `limits.total_seconds` at most, and raises nothing for whatever DNS says."""
    if subject.domain.rpartition(".")[2] in _RESERVED:
        return Report((DomainFinding(Code.DOMAIN_RESERVED, {"domain": subject.domain}),))
    if subject.domain in FREE_MAIL_DOMAINS:
        return Report((_free_mail(subject),))
    lookups = Lookups(resolver, clock=clock, limits=limits)
    try:
        exists = lookups.find(subject.domain, "TXT").exists
    except Unanswered as failure:
        params = {"name": subject.domain, "type": "TXT", "reason": failure.reason}
        return Report((DomainFinding(Code.DOMAIN_UNCHECKED, params),))
    if not exists:
        return Report((DomainFinding(Code.DOMAIN_MISSING, {"domain": subject.domain}),))
    return _Examination(subject, lookups).report()


def _free_mail(subject: Subject) -> DomainFinding:
    """gmail.com and the like: their provider publishes and signs, but for its own servers alone."""
    route = subject.route
    provider = provider_of(route.preset, route.host) if route else None
    params = {"domain": subject.domain, "relay": route.name if route else ""}
    if route is None or sends_for(subject.domain, provider, route.host):
        return DomainFinding(Code.DOMAIN_PROVIDERS, params)
    return DomainFinding(Code.DOMAIN_FOREIGN, params)


class _Examination:
    def __init__(self, subject: Subject, lookups: Lookups) -> None:
        self.domain, self.keys, self.lookups = subject.domain, subject.keys, lookups
        route = subject.route
        self.route = route
        is_relayed = route is not None and not route.is_direct
        self.provider: Provider | None = (
            provider_of(route.preset, route.host) if route and is_relayed else None
        )
        self.envelope = (route.return_domain if route else "") or self.domain

    def report(self) -> Report:
        addresses, failure = self._own_addresses()
        spf = self._spf(addresses)
        dkim = check_dkim(self.domain, self.keys, self.lookups)
        policy = check_dmarc(self.domain, self.lookups)
        found = [*spf.findings, *self._outbound(addresses, failure)]
        found += [*dkim.findings, *policy.findings]
        if self.route is not None:
            found += self._alignment(spf, dkim, policy)
        found += self._mx()
        found += self._names(addresses)
        once = [finding for at, finding in enumerate(found) if finding not in found[:at]]
        facts = _facts(spf, policy)
        if addresses:
            facts["addresses"] = [str(address) for address in addresses]
        return Report(tuple(once), facts)

    def _names(self, addresses: Sequence[IpAddress]) -> Iterator[DomainFinding]:
        """The reverse names of a server of one's own, and the name that we say ourselves."""
        ours = self.route is not None and self.route.is_direct
        if ours:
            yield from check_ehlo(self._host, self._source, self.lookups)
        name = "" if _literal(self._host) else self._host
        yield from check_ptr(addresses, name, self.lookups, ours=ours)

    @property
    def _source(self) -> IpAddress | None:
        return _literal(self.route.source) if self.route and self.route.source else None

    def _outbound(
        self, addresses: tuple[IpAddress, ...], failure: Unanswered | None
    ) -> Iterator[DomainFinding]:
        if failure is not None:
            yield spf_unchecked(failure)
        elif self._needs_addresses and not addresses:
            params = {"relay": self._relay, "host": self._host}
            yield DomainFinding(Code.SPF_OUTBOUND_UNKNOWN, params)

    @property
    def _host(self) -> str:
        return self.route.host.rstrip(".").lower() if self.route else ""

    @property
    def _needs_addresses(self) -> bool:
        return self.route is not None and self.provider is None

    def _own_addresses(self) -> tuple[tuple[IpAddress, ...], Unanswered | None]:
        """Where a server of one's own is reached, which is most often where its mail leaves; public ones alone."""
        if not self._needs_addresses:
            return (), None
        source = self._source
        literal = source if source is not None and source.is_global else _literal(self._host)
        try:
            found = (literal,) if literal else self.lookups.addresses(self._host)
        except Unanswered as failure:
            return (), failure
        return tuple(address for address in found if address.is_global), None

    def _spf(self, addresses: tuple[IpAddress, ...]) -> SpfResult:
        provider = self.provider
        if provider is not None and provider.mail_from:
            # The envelope is the provider's own: its record passes, and it is not ours to judge.
            return SpfResult((), True)
        outbound = Outbound(self._relay, provider.includes if provider else (), addresses)
        return check_spf(self.envelope, outbound, self.lookups)

    def _alignment(
        self, spf: SpfResult, dkim: DkimResult, found: DmarcResult
    ) -> Iterator[DomainFinding]:
        """RFC 7489 section 3.1: one of the two must pass for a domain that the reader sees."""
        policy = found.policy
        strict = policy is not None and policy.strict_spf
        envelope = (self.provider.mail_from if self.provider else "") or self.envelope
        params = {"domain": self.domain, "envelope": envelope, "relay": self._relay}
        try:
            is_aligned = aligned(self.domain, envelope, self.lookups, strict=strict)
        except Unanswered as failure:
            yield dmarc.unchecked(failure)
            return
        if not is_aligned:
            yield DomainFinding(Code.DMARC_SPF_UNALIGNED, params)
        if not self.keys:
            yield DomainFinding(Code.DMARC_DKIM_UNALIGNED, params)
        by_spf = spf.passes if is_aligned else False
        if policy is not None and by_spf is False and dkim.passes is False:
            yield DomainFinding(Code.DMARC_FAILS, {**params, "policy": policy.policy})

    @property
    def _relay(self) -> str:
        return self.route.name if self.route else ""

    def _mx(self) -> Iterator[DomainFinding]:
        yield from check_mx(self.domain, self.lookups, takes_bounces=self.envelope == self.domain)
        if self.envelope != self.domain:
            yield from check_mx(self.envelope, self.lookups, takes_bounces=True)


def _literal(host: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _facts(spf: SpfResult, found: DmarcResult) -> dict[str, object]:
    facts: dict[str, object] = {}
    if spf.record:
        facts |= {"spf_record": spf.record, "spf_lookups": spf.lookups, "spf_tree": list(spf.tree)}
    if found.policy is not None:
        facts |= {"dmarc_policy": found.policy.policy, "dmarc_at": found.policy.at}
    return facts

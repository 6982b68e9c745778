"""A SPF record with everything that it includes, and what a receiver must look up for it (RFC 7208 section 4.6.4).

The whole tree is counted, as if nothing matched: which branch a receiver ends in depends on the sender.
"""

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum

from campaigns.mailer.domain.findings import Code, printable
from campaigns.mailer.domain.lookups import IpAddress, Lookups
from campaigns.mailer.domain.spf_record import Network, SpfRecord, Term, parse_spf, spf_texts

MAX_LOOKUPS = 10
MAX_VOIDS = 2
MAX_EXCHANGES = 10
#: A tree that costs more is not followed any further: it is broken long before.
FOLLOWED = 40


class Match(StrEnum):
    """What a record says about an address: the results of section 2.6, as far as DNS alone tells."""

    PASS = "+"  # noqa: S105
    FAIL = "-"
    SOFTFAIL = "~"
    NEUTRAL = "?"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Branch:
    """A term and what DNS has for it. `is_open`: it depends on the message (macros, ptr)."""

    term: Term
    networks: tuple[Network, ...] = ()
    child: "Node | None" = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """The record of one domain, in the order in which a receiver reads it."""

    domain: str
    branches: tuple[Branch, ...]
    redirect: "Node | None" = None


@dataclass
class Tally:
    """What the whole tree costs, and what is wrong further down, as (code, domain)."""

    lookups: int = 0
    voids: list[str] = field(default_factory=list)
    faults: list[tuple[Code, str]] = field(default_factory=list)

    def fault(self, code: Code, domain: str) -> None:
        entry = (code, printable(domain))
        if entry not in self.faults:
            self.faults.append(entry)


def grow(domain: str, record: SpfRecord, lookups: Lookups, tally: Tally) -> Node:
    """The tree below a domain's record. Raises `Unanswered`."""
    return _Growth(lookups, tally).node(domain, record, (domain,))


def judge(node: Node, address: IpAddress) -> Match:
    """check_host of section 4 for one address, without what depends on the message."""
    unknown = False
    for branch in node.branches:
        inner = judge(branch.child, address) if branch.child else None
        unknown = unknown or branch.is_open or inner is Match.UNKNOWN
        if _matches(branch, address, inner):
            return Match.UNKNOWN if unknown else Match(branch.term.qualifier)
    if unknown:
        return Match.UNKNOWN
    return judge(node.redirect, address) if node.redirect else Match.NEUTRAL


def includes(node: Node, wanted: tuple[str, ...]) -> bool:
    """Whether one of these domains is included, or redirected to, with a pass all the way down."""
    if node.domain in wanted:
        return True
    children = [
        branch.child
        for branch in node.branches
        if branch.child is not None and branch.term.qualifier == "+"
    ]
    if node.redirect is not None:
        children.append(node.redirect)
    return any(includes(child, wanted) for child in children)


def _matches(branch: Branch, address: IpAddress, inner: Match | None) -> bool:
    if branch.term.name == "all" or inner is Match.PASS:
        return True
    return any(address.version == net.version and address in net for net in branch.networks)


class _Growth:
    def __init__(self, lookups: Lookups, tally: Tally) -> None:
        self._lookups, self._tally = lookups, tally

    def node(self, domain: str, record: SpfRecord, path: tuple[str, ...]) -> Node:
        branches = tuple(self._branch(domain, term, path) for term in record.terms)
        redirect = None
        if record.redirect and record.all is None:
            self._tally.lookups += 1
            if "%" not in record.redirect:
                redirect = self._child(record.redirect, path)
        return Node(domain, branches, redirect)

    def _branch(self, domain: str, term: Term, path: tuple[str, ...]) -> Branch:
        if term.network is not None:
            return Branch(term, (term.network,))
        self._tally.lookups += term.looks_up
        if term.name == "all":
            return Branch(term)
        if term.has_macro or term.name == "ptr" or self._tally.lookups > FOLLOWED:
            return Branch(term, is_open=True)
        target = term.domain or domain
        if term.name == "include":
            return Branch(term, child=self._child(target, path))
        if term.name == "exists":
            return Branch(term, is_open=self._exists(target))
        hosts = (target,) if term.name == "a" else self._exchanges(target)
        return Branch(term, tuple(self._networks(term, hosts)))

    def _child(self, domain: str, path: tuple[str, ...]) -> Node | None:
        domain = domain.rstrip(".")
        if self._tally.lookups > FOLLOWED:
            return None
        if domain in path:
            self._tally.fault(Code.SPF_LOOP, domain)
            return None
        texts = self._lookups.texts(domain)
        if not texts:
            self._tally.voids.append(domain)
        found = spf_texts(texts)
        if not found:
            self._tally.fault(Code.SPF_INCLUDE_MISSING, domain)
            return None
        record = parse_spf(found[0])
        if len(found) > 1 or record.faults:
            self._tally.fault(Code.SPF_INCLUDE_BROKEN, domain)
            return None
        return self.node(domain, record, (*path, domain))

    def _exists(self, name: str) -> bool:
        """Without macros it matches everybody or nobody; everybody is left open, as nobody means it."""
        found = self._lookups.find(name, "A").records
        if not found:
            self._tally.voids.append(name)
        return bool(found)

    def _exchanges(self, domain: str) -> tuple[str, ...]:
        hosts = tuple(host for host in self._lookups.exchanges(domain) if host)
        if not hosts:
            self._tally.voids.append(domain)
        if len(hosts) > MAX_EXCHANGES:
            self._tally.fault(Code.SPF_MANY_MX, domain)
        return hosts[:MAX_EXCHANGES]

    def _networks(self, term: Term, hosts: tuple[str, ...]) -> list[Network]:
        made: list[Network] = []
        for host in hosts:
            addresses = self._lookups.addresses(host)
            if not addresses:
                self._tally.voids.append(host)
            for address in addresses:
                length = term.four if address.version == 4 else term.six
                made.append(ipaddress.ip_network(f"{address}/{length}", strict=False))
        return made

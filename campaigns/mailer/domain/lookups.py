"""DNS look-ups as the doctor wants them: no record is an answer, no answer is `Unanswered` (RFC 1035, RFC 2308).

All look-ups of one examination share a cache, a time limit and a number of queries.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import dns.exception
import dns.name
import dns.rdata
import dns.resolver
import dns.reversename
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.txtbase import TXTBase

from campaigns.mailer.domain.findings import printable

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Resolver(Protocol):
    """What is used of `dns.resolver.Resolver`."""

    def resolve(
        self, qname: str, rdtype: str, *, lifetime: float | None, search: bool | None
    ) -> dns.resolver.Answer: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for one query and for all of them, and how many there may be."""

    query_seconds: float = 5.0
    total_seconds: float = 45.0
    queries: int = 250


class Unanswered(Exception):
    """Nothing is known about a name. `reason` is `timeout`, `servers` (SERVFAIL, REFUSED or none), `deadline` or
    `many`."""

    def __init__(self, name: str, rdtype: str, reason: str) -> None:
        super().__init__(f"{rdtype} {name}: {reason}")
        self.name, self.rdtype, self.reason = name, rdtype, reason


@dataclass(frozen=True, slots=True)
class Found:
    """The records of one name and type; `exists` is False where the name has none of any type (NXDOMAIN)."""

    records: tuple[dns.rdata.Rdata, ...] = ()
    exists: bool = True
    is_alias: bool = False


class Lookups:
    """`clock` counts seconds, as time.monotonic does. Every method raises `Unanswered`."""

    def __init__(
        self, resolver: Resolver, *, clock: Callable[[], float], limits: Limits | None = None
    ) -> None:
        self._resolver, self._clock = resolver, clock
        self._limits = limits or Limits()
        self._deadline = clock() + self._limits.total_seconds
        self._left = self._limits.queries
        self._known: dict[tuple[str, str], Found | Unanswered] = {}

    def find(self, name: str, rdtype: str) -> Found:
        """The records of a name in A-labels. A name that cannot exist has none."""
        key = (name.rstrip(".").lower(), rdtype)
        if key not in self._known:
            try:
                self._known[key] = self._ask(*key)
            except Unanswered as failure:
                self._known[key] = failure
        known = self._known[key]
        if isinstance(known, Unanswered):
            raise known
        return known

    def texts(self, name: str) -> tuple[str, ...]:
        """TXT records, each with its strings joined (RFC 7208 section 3.3, RFC 6376 section 3.6.2.2)."""
        records = self.find(name, "TXT").records
        return tuple(
            b"".join(record.strings).decode("utf-8", "replace")
            for record in records
            if isinstance(record, TXTBase)
        )

    def exchanges(self, name: str) -> tuple[str, ...]:
        """MX hosts in lower case, the preferred one first; "" is the null MX (RFC 7505)."""
        records = [r for r in self.find(name, "MX").records if isinstance(r, MX)]
        records.sort(key=lambda record: (record.preference, str(record.exchange)))
        return tuple(_plain(record.exchange) for record in records)

    def addresses(self, name: str) -> tuple[IpAddress, ...]:
        """A and AAAA."""
        found = (*self.find(name, "A").records, *self.find(name, "AAAA").records)
        return tuple(ipaddress.ip_address(record.to_text()) for record in found)

    def reverse(self, address: IpAddress) -> tuple[str, ...]:
        """PTR names in lower case."""
        name = dns.reversename.from_address(str(address)).to_text(omit_final_dot=True)
        return tuple(
            record.to_text().rstrip(".").lower() for record in self.find(name, "PTR").records
        )

    def _ask(self, name: str, rdtype: str) -> Found:
        remaining = self._deadline - self._clock()
        if remaining <= 0:
            raise Unanswered(name, rdtype, "deadline")
        if self._left <= 0:
            raise Unanswered(name, rdtype, "many")
        self._left -= 1
        lifetime = min(self._limits.query_seconds, remaining)
        try:
            answer = self._resolver.resolve(f"{name}.", rdtype, lifetime=lifetime, search=False)
        except dns.resolver.NXDOMAIN:
            return Found(exists=False)
        except dns.resolver.NoAnswer:
            return Found()
        except (
            dns.name.LabelTooLong,
            dns.name.NameTooLong,
            dns.name.EmptyLabel,
            dns.name.BadEscape,
        ):
            return Found(exists=False)
        except dns.exception.Timeout:
            raise Unanswered(name, rdtype, "timeout") from None
        # A response that dnspython cannot read, an unreachable network: all say nothing about the name.
        except (dns.exception.DNSException, OSError, ValueError):
            raise Unanswered(name, rdtype, "servers") from None
        is_alias = _plain(answer.canonical_name) != name
        return Found(tuple(answer.rrset or ()), is_alias=is_alias)


def _plain(name: dns.name.Name) -> str:
    return printable(name.to_text(omit_final_dot=True)).rstrip(".").lower()

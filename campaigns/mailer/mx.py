"""Where a domain's mail goes: its MX hosts in the order to try them (RFC 5321 5.1, RFC 7505).

Nothing here opens a connection: the look-ups and the chance that orders equal preferences are arguments.
"""

import ipaddress
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from random import Random

from dns.rdtypes.ANY.MX import MX

from campaigns.mailer.address import AddressFault, domain_of
from campaigns.mailer.domain.lookups import IpAddress, Lookups, Unanswered
from campaigns.mailer.outbound import is_permitted
from campaigns.mailer.reply import Outcome, Scope, Verdict
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.reply_recipient import DEAD

#: Hosts of a domain that are tried, and addresses of a host: a list without end is an attack.
_HOSTS = 6
_ADDRESSES = 4
#: A domain that DNS said nothing about rests this long.
_AGAIN = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A host that takes the domain's mail, and the addresses that we may connect to."""

    host: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Destination:
    """A domain in A-labels and its exchanges, the one to try first in front; there is at least one."""

    domain: str
    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True)
class Ourselves:
    """Who sends: the name that we say at EHLO and the addresses that we are reached at."""

    name: str
    addresses: Collection[IpAddress] = ()

    def is_at(self, host: str, addresses: Collection[IpAddress]) -> bool:
        return host == self.name.lower() or any(one in self.addresses for one in addresses)


class Undeliverable(Exception):
    """No exchange to try. `verdict` is what that means for each recipient of the domain."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason

    @property
    def verdict(self) -> Verdict:
        """Silence of DNS is never an answer; the rest is one for good."""
        if self.reason is Reason.DNS_UNANSWERED:
            return Verdict(Outcome.DEFERRED, Scope.DOMAIN, self.reason, _AGAIN)
        return Verdict(
            Outcome.REFUSED, Scope.RECIPIENT, self.reason, permanent_address=self.reason in DEAD
        )


def destination(
    domain: str,
    lookups: Lookups,
    *,
    ourselves: Ourselves,
    rng: Random,
    allow_private: bool = False,
) -> Destination:
    """The exchanges of a domain. Raises `Undeliverable`; `allow_private` is for mail within a company."""
    try:
        name = domain_of(f"x@{domain}")
    except AddressFault:
        raise Undeliverable(Reason.BAD_ADDRESS) from None
    try:
        ranked = _ranked(name, lookups, rng)
        found = _resolved(ranked, lookups)
        if not found and any(host == name for _rank, host in ranked):
            _believe_absence(lookups, ourselves)
            raise Undeliverable(Reason.HOST_UNKNOWN)
    except Unanswered:
        raise Undeliverable(Reason.DNS_UNANSWERED) from None
    if not found:
        # Hosts that are named but not there are somebody's mistake, which is mostly mended soon.
        raise Undeliverable(Reason.DNS_UNANSWERED)
    others = list(_before_us(found, ourselves))
    if not others:
        raise Undeliverable(Reason.LOOPS_TO_US)
    exchanges = tuple(_permitted(others, allow_private=allow_private))
    if not exchanges:
        raise Undeliverable(Reason.TARGET_FORBIDDEN)
    return Destination(name, exchanges[:_HOSTS])


def _ranked(domain: str, lookups: Lookups, rng: Random) -> list[tuple[int, str]]:
    """(preference, host): the lowest first, equal ones by chance; without MX the domain itself."""
    records = [record for record in lookups.find(domain, "MX").records if isinstance(record, MX)]
    if not records:
        return [(0, domain)]
    hosts = [(r.preference, r.exchange.to_text(omit_final_dot=True).lower()) for r in records]
    if any(host in ("", ".") for _rank, host in hosts):
        raise Undeliverable(Reason.TAKES_NO_MAIL)
    ordered: list[tuple[int, str]] = []
    for _rank, equals in groupby(sorted(hosts), key=lambda pair: pair[0]):
        mixed = list(equals)
        rng.shuffle(mixed)
        ordered += mixed
    return ordered


def _resolved(
    ranked: Sequence[tuple[int, str]], lookups: Lookups
) -> list[tuple[int, str, tuple[IpAddress, ...]]]:
    """Those that have addresses. Raises `Unanswered` where none has, and of some nothing is known."""
    found: list[tuple[int, str, tuple[IpAddress, ...]]] = []
    silence: Unanswered | None = None
    for rank, host in ranked[: 2 * _HOSTS]:
        try:
            addresses = (_literal(host),) if _literal(host) else lookups.addresses(host)
        except Unanswered as failure:
            silence = failure
            continue
        known = tuple(one for one in addresses if one is not None)
        if known:
            found.append((rank, host, known))
    if not found and silence is not None:
        raise silence
    return found


def _literal(host: str) -> IpAddress | None:
    """An MX must be a name (RFC 2181 10.3); domains that write an address mean it all the same."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _believe_absence(lookups: Lookups, ourselves: Ourselves) -> None:
    """A name server that does not know us either (a captive portal, a split view) proves nothing."""
    if not lookups.addresses(ourselves.name):
        raise Undeliverable(Reason.DNS_UNANSWERED)


def _before_us(
    found: Sequence[tuple[int, str, tuple[IpAddress, ...]]], ourselves: Ourselves
) -> Iterator[tuple[str, tuple[IpAddress, ...]]]:
    """RFC 5321 5.1: where we are one of the exchanges, those that are no better than we are left out."""
    ours = [rank for rank, host, addresses in found if ourselves.is_at(host, addresses)]
    for rank, host, addresses in found:
        if not ours or rank < min(ours):
            yield host, addresses


def _permitted(
    found: Sequence[tuple[str, tuple[IpAddress, ...]]], *, allow_private: bool
) -> Iterator[Exchange]:
    for host, addresses in found:
        allowed = [str(a) for a in addresses if is_permitted(str(a), allow_private=allow_private)]
        if allowed:
            yield Exchange(host, tuple(allowed[:_ADDRESSES]))

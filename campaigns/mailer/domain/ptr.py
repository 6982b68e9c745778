"""The reverse name of a server that sends by itself (RFC 5321 section 4.1.4, RFC 8499 on forward-confirmed names).

Receivers refuse a server without one; the name should be the one that it says at EHLO.
"""

from collections.abc import Iterator, Sequence

from campaigns.mailer.domain.findings import Code, DomainFinding, Record, printable
from campaigns.mailer.domain.lookups import IpAddress, Lookups, Unanswered

#: Names of one address that are confirmed; an address with more is no mail server.
_NAMES = 5


def check_ptr(
    addresses: Sequence[IpAddress], ehlo: str, lookups: Lookups, *, ours: bool = False
) -> list[DomainFinding]:
    """`ehlo` is the server's own name, "" where it is not known; `ours`: we say it at EHLO ourselves.

    Raises nothing: no answer is a finding too.
    """
    other = Code.PTR_EHLO_OTHER if ours else Code.PTR_OTHER_NAME
    found: list[DomainFinding] = []
    for address in addresses:
        try:
            found += _faults(address, ehlo, lookups, other)
        except Unanswered as failure:
            found.append(_unchecked(failure))
    return found


def check_ehlo(ehlo: str, source: IpAddress | None, lookups: Lookups) -> list[DomainFinding]:
    """Whether the name that we say leads back to the address that we send from (RFC 5321 section 4.1.4).

    `source` is None where nobody chose an address. Raises nothing.
    """
    try:
        known = lookups.addresses(ehlo)
    except Unanswered as failure:
        return [_unchecked(failure)]
    kind = "AAAA" if source is not None and source.version == 6 else "A"
    record = Record(kind, ehlo, str(source)) if source is not None and source.is_global else None
    if not known:
        return [DomainFinding(Code.PTR_EHLO_UNRESOLVED, {"ehlo": ehlo}, record)]
    # A private address is behind a gateway, which lends it another one.
    if source is not None and source.is_global and source not in known:
        params = {"ehlo": ehlo, "address": str(source), "found": str(known[0])}
        return [DomainFinding(Code.PTR_EHLO_ELSEWHERE, params, record)]
    return []


def _unchecked(failure: Unanswered) -> DomainFinding:
    params = {"name": printable(failure.name), "type": failure.rdtype, "reason": failure.reason}
    return DomainFinding(Code.PTR_UNCHECKED, params)


def _faults(
    address: IpAddress, ehlo: str, lookups: Lookups, other: Code
) -> Iterator[DomainFinding]:
    names = lookups.reverse(address)
    params = {"address": str(address), "ehlo": ehlo}
    record = Record("PTR", address.reverse_pointer, f"{ehlo}.") if ehlo else None
    if not names:
        yield DomainFinding(Code.PTR_MISSING, params, record)
        return
    confirmed = [name for name in names[:_NAMES] if address in lookups.addresses(name)]
    if not confirmed:
        yield DomainFinding(Code.PTR_UNCONFIRMED, {**params, "found": printable(names[0])}, record)
    elif ehlo and ehlo not in confirmed:
        yield DomainFinding(other, {**params, "found": printable(confirmed[0])}, record)

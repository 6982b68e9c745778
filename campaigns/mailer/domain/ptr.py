"""The reverse name of a server that sends by itself (RFC 5321 section 4.1.4, RFC 8499 on forward-confirmed names).

Receivers refuse a server without one; the name should be the one that it says at EHLO.
"""

from collections.abc import Iterator, Sequence

from campaigns.mailer.domain.findings import Code, DomainFinding, Record, printable
from campaigns.mailer.domain.lookups import IpAddress, Lookups, Unanswered

#: Names of one address that are confirmed; an address with more is no mail server.
_NAMES = 5


def check_ptr(addresses: Sequence[IpAddress], ehlo: str, lookups: Lookups) -> list[DomainFinding]:
    """`ehlo` is the server's own name, "" where it is not known. Raises nothing: no answer is a finding too."""
    found: list[DomainFinding] = []
    for address in addresses:
        try:
            found += _faults(address, ehlo, lookups)
        except Unanswered as failure:
            params = {
                "name": printable(failure.name),
                "type": failure.rdtype,
                "reason": failure.reason,
            }
            found.append(DomainFinding(Code.PTR_UNCHECKED, params))
    return found


def _faults(address: IpAddress, ehlo: str, lookups: Lookups) -> Iterator[DomainFinding]:
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
        yield DomainFinding(
            Code.PTR_OTHER_NAME, {**params, "found": printable(confirmed[0])}, record
        )

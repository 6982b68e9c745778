"""Whether the envelope domain's SPF record is sound and covers a relay's servers (RFC 7208)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from campaigns.mailer.domain.findings import Code, DomainFinding, Record, printable
from campaigns.mailer.domain.lookups import IpAddress, Lookups, Unanswered
from campaigns.mailer.domain.spf_record import SpfRecord, nearly_spf, parse_spf, spf_texts
from campaigns.mailer.domain.spf_tree import (
    FOLLOWED,
    MAX_EXCHANGES,
    MAX_LOOKUPS,
    MAX_VOIDS,
    Match,
    Node,
    Tally,
    grow,
    includes,
    judge,
)

#: What is mended by one and the same new record.
_MENDED = frozenset(
    {
        Code.SPF_PLUS_ALL,
        Code.SPF_NO_ALL,
        Code.SPF_AFTER_ALL,
        Code.SPF_REDIRECT_IGNORED,
        Code.SPF_PTR,
        Code.SPF_RELAY_MISSING,
        Code.SPF_ADDRESS_MISSING,
    }
)
_PTR = re.compile(r"[+?~-]?ptr(?::.*)?", re.I)
#: Octets of a record that we would have somebody publish.
_PUBLISHED = 2000
#: Lines of a tree that are kept to be shown.
_DRAWN = 200

#: Any of these makes a receiver's check end in "permerror": as good as no record.
_FATAL = frozenset(
    {
        Code.SPF_SEVERAL,
        Code.SPF_SYNTAX,
        Code.SPF_LOOKUPS,
        Code.SPF_VOIDS,
        Code.SPF_LOOP,
        Code.SPF_INCLUDE_MISSING,
        Code.SPF_INCLUDE_BROKEN,
        Code.SPF_MANY_MX,
    }
)


@dataclass(frozen=True, slots=True)
class Outbound:
    """How a relay's mail leaves: the provider's includes, or addresses of one's own; neither: it is not known.

    `relay` is its name, for the sentences.
    """

    relay: str = ""
    includes: tuple[str, ...] = ()
    addresses: tuple[IpAddress, ...] = ()

    @property
    def is_known(self) -> bool:
        return bool(self.includes or self.addresses)

    @property
    def terms(self) -> tuple[str, ...]:
        """What a record needs."""
        if self.includes:
            return (f"include:{self.includes[0]}",)
        return tuple(f"ip{address.version}:{address}" for address in self.addresses)


@dataclass(frozen=True, slots=True)
class SpfResult:
    """`passes`: whether a receiver will say pass for this relay; None where that is not known.

    `lookups` is the cost of the whole tree (10 are allowed), `tree` its terms, indented by their depth.
    """

    findings: tuple[DomainFinding, ...]
    passes: bool | None
    record: str = ""
    lookups: int = 0
    tree: tuple[str, ...] = ()


def check_spf(domain: str, outbound: Outbound, lookups: Lookups) -> SpfResult:
    """Every mistake of a domain's record at once. Raises nothing: no answer is a finding too."""
    tally = Tally()
    try:
        texts = lookups.texts(domain)
    except Unanswered as failure:
        return SpfResult((unchecked(failure),), None)
    found = spf_texts(texts)
    if len(found) != 1:
        return SpfResult((_not_one(domain, found, nearly_spf(texts), outbound),), False)
    record = parse_spf(found[0])
    findings = list(_own_faults(domain, record))
    shown = printable(record.text)
    if record.faults:
        return SpfResult(tuple(findings), False, shown)
    try:
        node = grow(domain, record, lookups, tally)
    except Unanswered as failure:
        mended = _mended(domain, record, findings, ())
        return SpfResult((*mended, unchecked(failure)), None, shown)
    findings += _tree_faults(domain, tally)
    # Of a tree that was not followed to its ends nothing can be said but that it is too big.
    covered = _covers(node, outbound) if tally.lookups <= FOLLOWED else None
    if covered is False:
        findings.append(_not_covered(domain, outbound))
    findings = _mended(domain, record, findings, outbound.terms if covered is False else ())
    if any(finding.code in _FATAL for finding in findings):
        covered = False
    tree = tuple(_drawn(node))[:_DRAWN]
    return SpfResult(tuple(findings), covered, shown, tally.lookups, tree)


def _drawn(node: Node, depth: int = 0) -> Iterator[str]:
    for branch in node.branches:
        yield "  " * depth + printable(branch.term.text)
        if branch.child is not None:
            yield from _drawn(branch.child, depth + 1)
    if node.redirect is not None:
        yield "  " * depth + f"redirect={printable(node.redirect.domain)}"
        yield from _drawn(node.redirect, depth + 1)


def unchecked(failure: Unanswered) -> DomainFinding:
    params = {"name": printable(failure.name), "type": failure.rdtype, "reason": failure.reason}
    return DomainFinding(Code.SPF_UNCHECKED, params)


def _not_one(domain: str, found: list[str], nearly: list[str], outbound: Outbound) -> DomainFinding:
    if found:
        words = [word for text in found for word in text.split()[1:]]
        record = _txt(domain, _with_all(words, outbound.terms))
        params = {"domain": domain, "count": len(found)}
        return DomainFinding(Code.SPF_SEVERAL, params, record)
    if nearly:
        params = {"domain": domain, "found": printable(nearly[0])}
        words = [word.rstrip(";") for word in nearly[0].split()[1:]]
        known = [word for word in words if not parse_spf(f"v=spf1 {word}").faults]
        return DomainFinding(
            Code.SPF_VERSION, params, _txt(domain, _with_all(known, outbound.terms))
        )
    fresh = _txt(domain, _with_all([], outbound.terms)) if outbound.is_known else None
    return DomainFinding(Code.SPF_MISSING, {"domain": domain}, fresh)


def _own_faults(domain: str, record: SpfRecord) -> Iterator[DomainFinding]:
    """What the record's own words show."""
    last = record.all
    for fault in record.faults:
        yield DomainFinding(Code.SPF_SYNTAX, {"domain": domain, "term": printable(fault)})
    if last is not None and last.qualifier == "+":
        yield DomainFinding(Code.SPF_PLUS_ALL, {"domain": domain})
    elif not record.faults and (last.qualifier == "?" if last else not record.redirect):
        yield DomainFinding(Code.SPF_NO_ALL, {"domain": domain})
    if record.after_all:
        params = {"domain": domain, "terms": printable(" ".join(record.after_all))}
        yield DomainFinding(Code.SPF_AFTER_ALL, params)
    if record.redirect and last is not None:
        params = {"domain": domain, "redirect": printable(record.redirect)}
        yield DomainFinding(Code.SPF_REDIRECT_IGNORED, params)
    if any(term.name == "ptr" for term in record.terms):
        yield DomainFinding(Code.SPF_PTR, {"domain": domain})


def _mended(
    domain: str, record: SpfRecord, findings: list[DomainFinding], more: tuple[str, ...]
) -> list[DomainFinding]:
    """One record that mends all that can be mended, for each finding that it mends: nobody has to merge two."""
    if record.faults:
        return findings
    kept = [word for word in record.text.split()[1:] if not _PTR.fullmatch(word)]
    better = _txt(domain, _with_all(kept, more))
    return [
        replace(finding, record=better) if finding.code in _MENDED else finding
        for finding in findings
    ]


def _tree_faults(domain: str, tally: Tally) -> Iterator[DomainFinding]:
    """What only shows once everything has been looked up."""
    for code, where in tally.faults:
        params = {"domain": domain, "where": where, "most": MAX_EXCHANGES}
        yield DomainFinding(code, params)
    if tally.lookups > MAX_LOOKUPS:
        params = {"domain": domain, "count": tally.lookups, "most": MAX_LOOKUPS}
        yield DomainFinding(Code.SPF_LOOKUPS, params)
    if len(tally.voids) > MAX_VOIDS:
        names = printable("、".join(dict.fromkeys(tally.voids)))
        params = {"domain": domain, "count": len(tally.voids), "most": MAX_VOIDS, "names": names}
        yield DomainFinding(Code.SPF_VOIDS, params)


def _covers(node: Node, outbound: Outbound) -> bool | None:
    if not outbound.is_known:
        return None
    if outbound.includes:
        return includes(node, outbound.includes)
    verdicts = {judge(node, address) for address in outbound.addresses}
    if verdicts == {Match.PASS}:
        return True
    return None if verdicts <= {Match.PASS, Match.UNKNOWN} else False


def _not_covered(domain: str, outbound: Outbound) -> DomainFinding:
    code = Code.SPF_RELAY_MISSING if outbound.includes else Code.SPF_ADDRESS_MISSING
    params = {"domain": domain, "relay": outbound.relay, "terms": " ".join(outbound.terms)}
    return DomainFinding(code, params)


def _with_all(words: list[str], more: tuple[str, ...]) -> str:
    """The words of one or more records and `more`, each once, with `-all` or `~all` at the end.

    A redirect stays where nothing says all, for then it is what ends the record.
    """
    ends = {word.lower() for word in words if word.lower().lstrip("+?~-") == "all"}
    redirects = [word for word in words if word.lower().startswith("redirect=")]
    kept = [word for word in words if word.lower() not in ends and word not in redirects]
    start = ["v=spf1", *dict.fromkeys([*more, *kept])]
    if redirects and not ends:
        return " ".join([*start, redirects[0]])
    return " ".join([*start, "-all" if "-all" in ends else "~all"])


def _txt(domain: str, value: str) -> Record | None:
    """None for what nobody should publish as it is: what it was made of holds octets that are no text, or is endless."""
    if not (value.isascii() and value.isprintable() and len(value) <= _PUBLISHED):
        return None
    return Record("TXT", domain, value)

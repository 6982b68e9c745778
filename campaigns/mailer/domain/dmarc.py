"""The DMARC policy of a from-domain, and when two domains count as aligned (RFC 7489).

Which domain is the organisation's is found by walking up the tree for records, as DMARC's revision does, not by a
list of public suffixes that would have to be kept current (docs/adr/0010-dns-doctor.md).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from campaigns.mailer.domain.findings import Code, DomainFinding, Record, printable
from campaigns.mailer.domain.lookups import Lookups, Unanswered
from campaigns.mailer.domain.tag_list import TagList, parse_tags

_VERSION = re.compile(r"\s*v\s*=\s*DMARC1\s*(?:;|$)")
_POLICIES = ("none", "quarantine", "reject")
#: RFC 7489 section 6.2: a mailbox to report to, and the largest report it takes.
_REPORT = re.compile(r"mailto:[^\s@!,;]+@([A-Za-z0-9._-]+)(?:![0-9]+[kmgt]?)?", re.I)
#: A name with more labels is not walked label by label.
_WALKED = 8


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for mail from a domain: `policy` is none, quarantine or reject; `at` is where the record stands.

    adkim= is no matter: we sign with d= the from-domain itself.
    """

    at: str
    policy: str
    strict_spf: bool


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """`policy` is None where there is none, or (`checked` false) where that could not be found out."""

    findings: tuple[DomainFinding, ...]
    policy: Policy | None
    checked: bool = True


def check_dmarc(domain: str, lookups: Lookups) -> DmarcResult:
    """Every mistake of the record that holds for a from-domain. Raises nothing: no answer is a finding too."""
    try:
        return _checked(domain, lookups)
    except Unanswered as failure:
        return DmarcResult((unchecked(failure),), None, checked=False)


def unchecked(failure: Unanswered) -> DomainFinding:
    params = {"name": printable(failure.name), "type": failure.rdtype, "reason": failure.reason}
    return DomainFinding(Code.DMARC_UNCHECKED, params)


def aligned(one: str, other: str, lookups: Lookups, *, strict: bool) -> bool:
    """RFC 7489 section 3.1: the same domain, or (relaxed) the same organisation. Raises `Unanswered`."""
    if one == other:
        return True
    if strict:
        return False
    first, second = organisation(one, lookups), organisation(other, lookups)
    if first is None or second is None:
        # Without a policy nobody asks for alignment; a part of the other is as good as certain.
        return one.endswith(f".{other}") or other.endswith(f".{one}")
    return first == second


def organisation(domain: str, lookups: Lookups) -> str | None:
    """The organisational domain: the highest one with a record, where none says otherwise by psd=."""
    found = None
    for name in _upwards(domain):
        texts = _records(name, lookups)
        if len(texts) != 1:
            continue
        mark = parse_tags(texts[0]).get("psd").lower()
        if mark == "n":
            return name
        if mark == "y" and name != domain:
            return domain.removesuffix(f".{name}").rpartition(".")[2] + f".{name}"
        found = name
    return found


def _upwards(domain: str) -> Iterator[str]:
    """The domain and its parents, down to two labels; the middle of a very long name is left out."""
    labels = domain.split(".")
    yield domain
    start = max(1, len(labels) - _WALKED + 1)
    for at in range(start, len(labels) - 1):
        yield ".".join(labels[at:])


def _records(domain: str, lookups: Lookups) -> list[str]:
    """Those TXT records at _dmarc that are DMARC's (section 6.6.3)."""
    return [text for text in lookups.texts(f"_dmarc.{domain}") if _VERSION.match(text)]


def _checked(domain: str, lookups: Lookups) -> DmarcResult:
    for name in _upwards(domain):
        found = _records(name, lookups)
        if len(found) > 1:
            params = {"name": f"_dmarc.{name}", "count": len(found)}
            return DmarcResult((DomainFinding(Code.DMARC_SEVERAL, params),), None)
        if found:
            return _read(domain, name, parse_tags(found[0]), lookups)
        broken = _nearly(name, lookups)
        if broken:
            finding = DomainFinding(
                Code.DMARC_SYNTAX,
                {"name": f"_dmarc.{name}", "tag": printable(broken)},
                _suggested(name),
            )
            return DmarcResult((finding,), None)
    doubled = f"_dmarc.{domain}.{domain}"
    if lookups.texts(doubled):
        params = {"name": f"_dmarc.{domain}", "found": doubled}
        return DmarcResult((DomainFinding(Code.DMARC_DOUBLED, params, _suggested(domain)),), None)
    missing = DomainFinding(Code.DMARC_MISSING, {"domain": domain}, _suggested(domain))
    return DmarcResult((missing,), None)


def _nearly(domain: str, lookups: Lookups) -> str:
    """A record that was meant to be one: another version, or v= not in the first place."""
    for text in lookups.texts(f"_dmarc.{domain}"):
        if "dmarc" in text.lower():
            return text
    return ""


def _suggested(domain: str) -> Record:
    """One to begin with: nothing is refused, and reports come."""
    return Record("TXT", f"_dmarc.{domain}", f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}")


def _read(domain: str, at: str, tags: TagList, lookups: Lookups) -> DmarcResult:
    name = f"_dmarc.{at}"
    findings = [
        DomainFinding(Code.DMARC_SYNTAX, {"name": name, "tag": printable(tag)}, _suggested(at))
        for tag in _faults(tags)
    ]
    own = tags.get("p", "none").lower()
    policy = own if at == domain else tags.get("sp", own).lower()
    if not findings and policy == "none":
        findings.append(DomainFinding(Code.DMARC_NONE, {"name": name, "domain": domain}))
    if not findings and tags.get("pct", "100") != "100":
        findings.append(DomainFinding(Code.DMARC_PARTIAL, {"name": name, "pct": tags.get("pct")}))
    findings += _reports(at, tags, lookups)
    if policy not in _POLICIES:
        policy = "none"
    made = Policy(at, policy, strict_spf=tags.get("aspf").lower() == "s")
    return DmarcResult(tuple(findings), made)


def _faults(tags: TagList) -> Iterator[str]:
    """Pieces that a receiver stumbles over; unknown tags are none (section 6.3)."""
    yield from tags.faults
    if "p" not in tags.tags:
        yield "p="
    allowed = {
        "p": _POLICIES,
        "sp": _POLICIES,
        "np": _POLICIES,
        "adkim": ("r", "s"),
        "aspf": ("r", "s"),
        "psd": ("y", "n", "u"),
    }
    for name, values in allowed.items():
        if name in tags.tags and tags.get(name).lower() not in values:
            yield f"{name}={tags.get(name)}"
    pct = tags.get("pct", "100")
    if not (pct.isascii() and pct.isdecimal() and int(pct[:4]) <= 100):
        yield f"pct={pct}"
    for name in ("rua", "ruf"):
        for target in _targets(tags.get(name)):
            # Other schemes are allowed, and ignored by everybody.
            is_other = ":" in target and not target.lower().startswith("mailto:")
            if not is_other and not _REPORT.fullmatch(target):
                yield f"{name}={target}"


def _targets(value: str) -> list[str]:
    return [target.strip() for target in value.split(",") if target.strip()]


def _reports(at: str, tags: TagList, lookups: Lookups) -> Iterator[DomainFinding]:
    """Where reports go, and whether a stranger's domain agreed to take them (section 7.1)."""
    targets = _targets(tags.get("rua"))
    if not targets:
        yield DomainFinding(Code.DMARC_RUA_MISSING, {"name": f"_dmarc.{at}"})
    hosts = [found[1].rstrip(".").lower() for found in map(_REPORT.fullmatch, targets) if found]
    for host in dict.fromkeys(hosts[:5]):
        try:
            if aligned(host, at, lookups, strict=False):
                continue
            agreed = f"{at}._report._dmarc.{host}"
            if any(_VERSION.match(text) for text in lookups.texts(agreed)):
                continue
        except Unanswered as failure:
            yield unchecked(failure)
            continue
        params = {"name": f"_dmarc.{at}", "host": printable(host)}
        record = Record("TXT", agreed, "v=DMARC1")
        yield DomainFinding(Code.DMARC_RUA_UNAUTHORISED, params, record)

"""Whether the published DKIM records carry the keys that we sign with (RFC 6376 section 3.6.1, RFC 8301, RFC 8463)."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from campaigns.mailer.domain.findings import Code, DomainFinding, Record, printable
from campaigns.mailer.domain.lookups import Lookups, Unanswered
from campaigns.mailer.domain.tag_list import TagList, parse_tags
from campaigns.mailer.signing import Algorithm, dns_record

#: Fewer bits than RFC 8301 section 3.2 asks of a signer.
_GOOD_BITS = 2048
#: How many records of one name are tried as pieces of one.
_PIECES = 4

#: What leaves the signature good all the same.
_HARMLESS = frozenset({Code.DKIM_SHORT, Code.DKIM_TESTING})


@dataclass(frozen=True, slots=True)
class SigningRecord:
    """The public half of a key that signs: `public` is base64, as in p=."""

    selector: str
    algorithm: Algorithm
    public: str


@dataclass(frozen=True, slots=True)
class DkimResult:
    """`passes`: whether at least one signature will verify; None where that could not be found out."""

    findings: tuple[DomainFinding, ...]
    passes: bool | None


def check_dkim(domain: str, keys: Sequence[SigningRecord], lookups: Lookups) -> DkimResult:
    """Every key's record. Raises nothing: no answer is a finding too."""
    if not keys:
        return DkimResult((DomainFinding(Code.DKIM_NO_KEY, {"domain": domain}),), False)
    findings: list[DomainFinding] = []
    verdicts: list[bool | None] = []
    for key in keys:
        name = f"{key.selector}._domainkey.{domain}"
        try:
            found = _check_key(domain, name, key, lookups)
        except Unanswered as failure:
            params = {"name": printable(failure.name), "type": "TXT", "reason": failure.reason}
            findings.append(DomainFinding(Code.DKIM_UNCHECKED, params))
            verdicts.append(None)
            continue
        findings += found
        verdicts.append(all(finding.code in _HARMLESS for finding in found))
    unknown = None if None in verdicts else False
    return DkimResult(tuple(findings), True if True in verdicts else unknown)


def _check_key(domain: str, name: str, key: SigningRecord, lookups: Lookups) -> list[DomainFinding]:
    record = Record("TXT", name, dns_record(key.algorithm, key.public))
    texts = lookups.texts(name)
    if not texts:
        doubled = f"{name}.{domain}"
        if lookups.texts(doubled):
            return [DomainFinding(Code.DKIM_DOUBLED, {"name": name, "found": doubled}, record)]
        return [DomainFinding(Code.DKIM_MISSING, {"name": name}, record)]
    if len(texts) > 1:
        code = Code.DKIM_SPLIT if _is_split(texts, key) else Code.DKIM_SEVERAL
        return [DomainFinding(code, {"name": name, "count": len(texts)}, record)]
    return [
        # A key that is too short is published as it is: only another one helps.
        DomainFinding(code, {"name": name, **params}, None if code is Code.DKIM_SHORT else record)
        for code, params in _faults(texts[0], key)
    ]


def _faults(text: str, key: SigningRecord) -> list[tuple[Code, dict[str, object]]]:
    """What is wrong with the one record there is; a broken one has one fault, not several."""
    if '"' in text or "\\" in text:
        return [(Code.DKIM_QUOTED, {"found": printable(text)})]
    record = parse_tags(text)
    broken = _broken(record)
    if broken:
        return [(Code.DKIM_SYNTAX, {"found": printable(broken)})]
    if not record.get("p"):
        return [(Code.DKIM_REVOKED, {})]
    kind = record.get("k", "rsa").lower()
    if kind != key.algorithm:
        params: dict[str, object] = {"found": printable(kind), "wanted": str(key.algorithm)}
        return [(Code.DKIM_KEY_TYPE, params)]
    if not _is_same(record.get("p"), key):
        return [(Code.DKIM_DIFFERS, {})]
    return _restrictions(record, key)


def _broken(record: TagList) -> str:
    """The piece that makes receivers throw the record away; "" for a good one."""
    if record.faults:
        return record.faults[0]
    version = record.get("v", "DKIM1")
    if version != "DKIM1" or ("v" in record.tags and record.first != "v"):
        return f"v={version}"
    if "p" not in record.tags:
        return "p="
    if record.get("p") and _octets(record.get("p")) is None:
        return f"p={record.get('p')}"
    return ""


def _restrictions(record: TagList, key: SigningRecord) -> list[tuple[Code, dict[str, object]]]:
    """The key is ours: is it also let to sign mail, with our hash, in earnest?"""
    found: list[tuple[Code, dict[str, object]]] = []
    if "h" in record.tags and "sha256" not in _parts(record.get("h")):
        found.append((Code.DKIM_HASH, {"found": printable(record.get("h"))}))
    if "s" in record.tags and not {"*", "email"} & _parts(record.get("s")):
        found.append((Code.DKIM_SERVICE, {"found": printable(record.get("s"))}))
    if "y" in _parts(record.get("t")):
        found.append((Code.DKIM_TESTING, {}))
    public = _rsa(_octets(key.public) or b"") if key.algorithm is Algorithm.RSA else None
    if public is not None and public.key_size < _GOOD_BITS:
        found.append((Code.DKIM_SHORT, {"bits": public.key_size}))
    return found


def _parts(value: str) -> set[str]:
    return {part.strip().lower() for part in value.split(":")}


def _is_split(texts: Sequence[str], key: SigningRecord) -> bool:
    """Whether the records are one value that was cut into several, in whatever order they come."""
    if len(texts) > _PIECES:
        return False
    for order in permutations(texts):
        record = parse_tags("".join(text.strip(' "') for text in order))
        if not _broken(record) and record.get("p") and _is_same(record.get("p"), key):
            return True
    return False


def _is_same(published: str, key: SigningRecord) -> bool:
    """The same key, whichever way its octets are wrapped: some publish PKCS #1 instead of SubjectPublicKeyInfo."""
    theirs, ours = _octets(published), _octets(key.public)
    if theirs is None or ours is None:
        return False
    if theirs == ours:
        return True
    one, other = _rsa(theirs), _rsa(ours)
    return one is not None and other is not None and one.public_numbers() == other.public_numbers()


def _octets(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _rsa(octets: bytes) -> RSAPublicKey | None:
    try:
        key = serialization.load_der_public_key(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None

"""Is a message's DKIM signature good (RFC 6376)? dkimpy checks, so not the code that signed."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import dkim  # type: ignore[import-untyped]

MAX_SIGNATURES = 5

Lookup = Callable[[str, str], str | None]

_silent = logging.Logger("campaigns.sandbox.verdict")
_silent.addHandler(logging.NullHandler())


class Result(StrEnum):
    """As in Authentication-Results (RFC 8601), without its finer shades."""

    PASSED = "passed"
    FAILED = "failed"
    NONE = "none"


class Why(StrEnum):
    """The reason of a verdict; a page translates it."""

    VERIFIED = "verified"
    NO_SIGNATURE = "no_signature"
    NO_KEY = "no_key"
    BODY_CHANGED = "body_changed"
    WRONG_SIGNATURE = "wrong_signature"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a signature; `domain` is d=, `selector` s=, both empty if unreadable."""

    result: Result
    why: Why
    domain: str = ""
    selector: str = ""

    @property
    def passed(self) -> bool:
        """One signature was verified with the key of its domain."""
        return self.result is Result.PASSED


def dkim_verdict(raw: bytes, lookup: Lookup) -> Verdict:
    """Check the signatures of a message, the first that passes wins, else the first one counts.

    `lookup(domain, selector)` gives the TXT record, or None where there is none. Never raises for
    what is in the message.
    """
    verdicts: list[Verdict] = []
    for index in range(MAX_SIGNATURES):
        verdict = _one(raw, index, lookup)
        if verdict is None:
            break
        if verdict.passed:
            return verdict
        verdicts.append(verdict)
    return verdicts[0] if verdicts else Verdict(Result.NONE, Why.NO_SIGNATURE)


def _one(raw: bytes, index: int, lookup: Lookup) -> Verdict | None:
    """The verdict on the signature of that index, None if there are not so many."""
    records: list[str | None] = []

    def txt(_name: bytes, timeout: float = 5) -> bytes | None:
        record = lookup(*_signer(checker))
        records.append(record)
        return record.encode() if record is not None else None

    try:
        checker = dkim.DKIM(raw, logger=_silent)
        if sum(name.lower() == b"dkim-signature" for name, _ in checker.headers) <= index:
            return None
    except dkim.DKIMException:
        return None if index else Verdict(Result.NONE, Why.MALFORMED)
    try:
        why = Why.VERIFIED if checker.verify(index, dnsfunc=txt) else Why.WRONG_SIGNATURE
    except dkim.ValidationError as error:
        why = Why.BODY_CHANGED if "body hash" in str(error) else Why.MALFORMED
    except (dkim.DKIMException, ValueError, KeyError, TypeError, IndexError, OverflowError):
        why = Why.MALFORMED  # dkimpy lets odd tags through to int() and base64
    if why is Why.WRONG_SIGNATURE and None in records:
        why = Why.NO_KEY
    result = Result.PASSED if why is Why.VERIFIED else Result.FAILED
    return Verdict(result, why, *_signer(checker))


def _signer(checker: dkim.DKIM) -> tuple[str, str]:
    tags: dict[bytes, bytes] = checker.signature_fields
    domain, selector = tags.get(b"d", b""), tags.get(b"s", b"")
    return domain.decode("utf-8", "replace"), selector.decode("utf-8", "replace")

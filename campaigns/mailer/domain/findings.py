"""What the DNS doctor can find: codes with parameters, how grave each is, and the record that would mend it.

The Django side keeps one sentence for each code (campaigns/domain_texts.py) and fills in the parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: What strangers published is shown cut to this many characters.
_SHOWN = 500


class Severity(StrEnum):
    """ERROR: mail is refused or lost. WARNING: it suffers. UNCHECKED: no answer, which says nothing."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"
    UNCHECKED = "unchecked"


class Part(StrEnum):
    """What a finding is about; an unchecked part says nothing about the others."""

    DOMAIN = "domain"
    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    MX = "mx"
    PTR = "ptr"


class Code(StrEnum):
    """One mistake each; the part is the word before the first underscore."""

    DOMAIN_RESERVED = "domain_reserved"
    DOMAIN_MISSING = "domain_missing"
    DOMAIN_PROVIDERS = "domain_providers"
    DOMAIN_FOREIGN = "domain_foreign"
    SPF_MISSING = "spf_missing"
    SPF_SEVERAL = "spf_several"
    SPF_VERSION = "spf_version"
    SPF_SYNTAX = "spf_syntax"
    SPF_PLUS_ALL = "spf_plus_all"
    SPF_NO_ALL = "spf_no_all"
    SPF_LOOKUPS = "spf_lookups"
    SPF_VOIDS = "spf_voids"
    SPF_LOOP = "spf_loop"
    SPF_INCLUDE_MISSING = "spf_include_missing"
    SPF_INCLUDE_BROKEN = "spf_include_broken"
    SPF_MANY_MX = "spf_many_mx"
    SPF_PTR = "spf_ptr"
    SPF_AFTER_ALL = "spf_after_all"
    SPF_REDIRECT_IGNORED = "spf_redirect_ignored"
    SPF_RELAY_MISSING = "spf_relay_missing"
    SPF_ADDRESS_MISSING = "spf_address_missing"
    SPF_OUTBOUND_UNKNOWN = "spf_outbound_unknown"
    DKIM_NO_KEY = "dkim_no_key"
    DKIM_MISSING = "dkim_missing"
    DKIM_DOUBLED = "dkim_doubled"
    DKIM_SEVERAL = "dkim_several"
    DKIM_SPLIT = "dkim_split"
    DKIM_QUOTED = "dkim_quoted"
    DKIM_SYNTAX = "dkim_syntax"
    DKIM_REVOKED = "dkim_revoked"
    DKIM_KEY_TYPE = "dkim_key_type"
    DKIM_DIFFERS = "dkim_differs"
    DKIM_HASH = "dkim_hash"
    DKIM_SERVICE = "dkim_service"
    DKIM_SHORT = "dkim_short"
    DKIM_TESTING = "dkim_testing"
    DMARC_MISSING = "dmarc_missing"
    DMARC_DOUBLED = "dmarc_doubled"
    DMARC_SEVERAL = "dmarc_several"
    DMARC_SYNTAX = "dmarc_syntax"
    DMARC_NONE = "dmarc_none"
    DMARC_PARTIAL = "dmarc_partial"
    DMARC_RUA_MISSING = "dmarc_rua_missing"
    DMARC_RUA_UNAUTHORISED = "dmarc_rua_unauthorised"
    DMARC_SPF_UNALIGNED = "dmarc_spf_unaligned"
    DMARC_DKIM_UNALIGNED = "dmarc_dkim_unaligned"
    DMARC_FAILS = "dmarc_fails"
    MX_MISSING = "mx_missing"
    MX_BOUNCE_MISSING = "mx_bounce_missing"
    MX_FALLBACK = "mx_fallback"
    MX_NULL = "mx_null"
    MX_ALIAS = "mx_alias"
    MX_ADDRESS = "mx_address"
    MX_UNRESOLVED = "mx_unresolved"
    MX_PRIVATE = "mx_private"
    PTR_MISSING = "ptr_missing"
    PTR_UNCONFIRMED = "ptr_unconfirmed"
    PTR_OTHER_NAME = "ptr_other_name"
    PTR_EHLO_OTHER = "ptr_ehlo_other"
    PTR_EHLO_UNRESOLVED = "ptr_ehlo_unresolved"
    PTR_EHLO_ELSEWHERE = "ptr_ehlo_elsewhere"
    SPF_UNCHECKED = "spf_unchecked"
    DKIM_UNCHECKED = "dkim_unchecked"
    DMARC_UNCHECKED = "dmarc_unchecked"
    MX_UNCHECKED = "mx_unchecked"
    PTR_UNCHECKED = "ptr_unchecked"
    DOMAIN_UNCHECKED = "domain_unchecked"


#: Everything that is not named here is an error.
_WARNINGS = frozenset(
    {
        Code.SPF_NO_ALL, Code.SPF_PTR, Code.SPF_AFTER_ALL, Code.SPF_REDIRECT_IGNORED, Code.SPF_ADDRESS_MISSING,
        Code.DKIM_NO_KEY, Code.DKIM_SHORT, Code.DKIM_TESTING,
        Code.DMARC_MISSING, Code.DMARC_DOUBLED, Code.DMARC_RUA_UNAUTHORISED,
        Code.MX_ALIAS, Code.MX_PRIVATE, Code.PTR_UNCONFIRMED,
        Code.PTR_EHLO_OTHER, Code.PTR_EHLO_ELSEWHERE,
    }
)  # fmt: skip
_NOTICES = frozenset(
    {
        Code.DOMAIN_RESERVED, Code.DOMAIN_PROVIDERS, Code.SPF_OUTBOUND_UNKNOWN,
        Code.DMARC_NONE, Code.DMARC_PARTIAL, Code.DMARC_RUA_MISSING,
        Code.DMARC_SPF_UNALIGNED, Code.DMARC_DKIM_UNALIGNED, Code.MX_FALLBACK, Code.PTR_OTHER_NAME,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """A DNS record to publish: its type, full name, and value as a panel wants it."""

    type: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class DomainFinding:
    """One mistake; `params` fill its sentence, `record` is what to publish instead, where that is known."""

    code: Code
    params: Mapping[str, object] = field(default_factory=dict)
    record: Record | None = None

    @property
    def part(self) -> Part:
        return Part(self.code.partition("_")[0])

    @property
    def severity(self) -> Severity:
        if self.code.endswith("_unchecked"):
            return Severity.UNCHECKED
        if self.code in _WARNINGS:
            return Severity.WARNING
        return Severity.NOTICE if self.code in _NOTICES else Severity.ERROR

    def as_json(self) -> dict[str, Any]:
        """For a row: code, part, severity, params and record (or None)."""
        record = self.record
        return {
            "code": str(self.code),
            "part": str(self.part),
            "severity": str(self.severity),
            "params": dict(self.params),
            "record": record and {"type": record.type, "name": record.name, "value": record.value},
        }


def printable(text: str) -> str:
    """What strangers published, on one line, without controls, and not too long to be shown."""
    clean = "".join(character if character.isprintable() else "?" for character in text)
    return clean if len(clean) <= _SHOWN else clean[: _SHOWN - 1] + "…"

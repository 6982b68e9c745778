"""Reading one SPF record into its terms, and every fault of its syntax (RFC 7208 sections 4.6 and 12)."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Section 4.5: "v=spf1" and then a space or the end.
_VERSION = re.compile(r"v=spf1(?: |$)", re.I)
#: What its author surely meant for a record: "v=spf1;", "v=spf 1", "spf1 …", "v=spf2".
_NEARLY = re.compile(r"\s*\"?(?:v\s*=\s*spf|spf1\b)", re.I)
#: RFC 4406's Sender ID shares the first letters and is something else.
_SENDER_ID = re.compile(r"spf2\.0/", re.I)
_TERM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)(?:([:/=])(.*))?", re.S)
_CIDR = re.compile(r"(?P<name>.*?)(?:/(?P<four>\d{1,2}))?(?://(?P<six>\d{1,3}))?", re.S)
_MACRO = re.compile(r"%(?:[%_-]|\{[slodiphcrtvSLODIPHCRTV]\d*[rR]?[.+,/_=-]*\})")
#: Section 7.1: dots between labels, and a last label that is not digits alone.
_DOMAIN = re.compile(
    r"(?=.{1,253}$)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+"
    r"(?=[^.]*[A-Za-z])[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_LOOKING_UP = frozenset({"include", "a", "mx", "ptr", "exists"})


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism. `domain` is "" for the record's own, and may hold macros; `network` of ip4 and ip6 alone."""

    text: str
    qualifier: str
    name: str
    domain: str = ""
    four: int = 32
    six: int = 128
    network: Network | None = None

    @property
    def looks_up(self) -> bool:
        """Whether it counts against the ten look-ups of section 4.6.4."""
        return self.name in _LOOKING_UP

    @property
    def has_macro(self) -> bool:
        return "%" in self.domain


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """`terms` end with `all`, for what stands behind it is never reached (`after_all`). `faults` are the words that
    break the syntax: one is enough for a receiver to throw the whole record away."""

    text: str
    terms: tuple[Term, ...]
    after_all: tuple[str, ...]
    redirect: str
    faults: tuple[str, ...]

    @property
    def all(self) -> Term | None:
        last = self.terms[-1] if self.terms else None
        return last if last is not None and last.name == "all" else None


def spf_texts(texts: Iterable[str]) -> list[str]:
    """Those that are SPF records (section 4.5)."""
    return [text for text in texts if _VERSION.match(text)]


def nearly_spf(texts: Iterable[str]) -> list[str]:
    """Those that were meant to be, and which no receiver takes for one."""
    return [
        text
        for text in texts
        if _NEARLY.match(text) and not _VERSION.match(text) and not _SENDER_ID.match(text)
    ]


def parse_spf(text: str) -> SpfRecord:
    """Never raises; what it cannot read stands in `faults`."""
    terms: list[Term] = []
    modifiers: dict[str, str] = {}
    faults: list[str] = []
    for word in text.split(" ")[1:]:
        if not word:
            continue
        found = _TERM.fullmatch(word)
        if found is None:
            faults.append(word)
        elif found[3] == "=":
            if not _add_modifier(found, modifiers):
                faults.append(word)
        elif (term := _mechanism(found)) is not None:
            terms.append(term)
        else:
            faults.append(word)
    end = next((at for at, term in enumerate(terms) if term.name == "all"), len(terms)) + 1
    after = tuple(term.text for term in terms[end:])
    return SpfRecord(text, tuple(terms[:end]), after, modifiers.get("redirect", ""), tuple(faults))


def _add_modifier(found: re.Match[str], modifiers: dict[str, str]) -> bool:
    """Section 6: redirect and exp once each; unknown ones are ignored where their macros are well written."""
    name, value = found[2].lower(), found[4]
    if found[1]:
        return False
    if name in ("redirect", "exp"):
        if name in modifiers or not _is_domain_spec(value):
            return False
        modifiers[name] = value.lower()
        return True
    return "%" not in _MACRO.sub("", value)


def _mechanism(found: re.Match[str]) -> Term | None:
    """None for what section 5 does not know or would not take."""
    qualifier, name, mark, rest = found[1] or "+", found[2].lower(), found[3], found[4] or ""
    if name == "all":
        return None if mark else Term(found[0], qualifier, name)
    if name in ("ip4", "ip6"):
        network = _network(name, rest) if mark == ":" else None
        if network is None:
            return None
        return Term(found[0], qualifier, name, network=network)
    if name in ("include", "exists"):
        if mark != ":" or not _is_domain_spec(rest):
            return None
        return Term(found[0], qualifier, name, rest.lower())
    if name == "ptr":
        if mark == "/" or (mark and not _is_domain_spec(rest)):
            return None
        return Term(found[0], qualifier, name, rest.lower())
    return _hosts(found, qualifier, name) if name in ("a", "mx") else None


def _hosts(found: re.Match[str], qualifier: str, name: str) -> Term | None:
    """`a` and `mx`, with a domain and with prefix lengths for both families (section 5.3)."""
    mark, rest = found[3], found[4] or ""
    parts = _CIDR.fullmatch(f"/{rest}" if mark == "/" else rest)
    if parts is None:
        return None
    domain, four, six = parts["name"], int(parts["four"] or 32), int(parts["six"] or 128)
    if four > 32 or six > 128:
        return None
    if (mark == ":") != bool(domain) or (domain and not _is_domain_spec(domain)):
        return None
    return Term(found[0], qualifier, name, domain.lower(), four, six)


def _network(name: str, text: str) -> Network | None:
    try:
        if name == "ip4":
            return ipaddress.IPv4Network(text, strict=False)
        return ipaddress.IPv6Network(text, strict=False)
    except ValueError:
        return None


def _is_domain_spec(text: str) -> bool:
    plain = _MACRO.sub("", text)
    if "%" in plain or not text.isascii() or not text.isprintable():
        return False
    if plain != text:
        # A name with macros is whole only for one message: that its letters are legal is all we know.
        return " " not in text
    return _DOMAIN.fullmatch(text.rstrip(".")) is not None

"""Addresses as reports write them (RFC 5321, 4.1.2), found in fields and in prose."""

import re

#: Han, kana, hangul and full-width signs stand around an address in a sentence, not inside it.
_WIDE = "\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef\u2018-\u201d"
_LOCAL = rf"(?:\"[^\"\s]{{1,64}}\"|[^\s<>()\[\],;:\"\\|/{_WIDE}]{{1,64}})"
_DOMAIN = rf"[^\s<>()\[\],;:\"\\/?@'={_WIDE}]{{1,253}}"
#: For patterns that have an address inside.
ADDRESS_PATTERN = rf"{_LOCAL}@{_DOMAIN}"
#: Starts only where a word starts, so that a long word is tried once.
ADDRESS = re.compile(rf"(?<![^\s<>()\[\],;:\"'{_WIDE}])(?:mailto:)?({ADDRESS_PATTERN})")
_EDGES = "'`*.,:;!?。，；：、）（》《”“‘’」「"


def clean(address: str) -> str:
    """An address without the brackets and points that stand around it in a sentence."""
    address = address.strip().strip("<>").strip()
    if address.startswith(("'", "‘", "“")):
        address = address.strip(_EDGES)
    return address.rstrip(_EDGES)


def addresses_in(text: str, *, limit: int = 50) -> list[str]:
    """The addresses in `text`, each once (compared without case), in order; at most `limit`."""
    found: dict[str, str] = {}
    for match in ADDRESS.finditer(text):
        address = clean(match[1])
        if is_address(address):
            found.setdefault(address.lower(), address)
        if len(found) >= limit:
            break
    return list(found.values())


def is_address(text: str) -> bool:
    """Whether it has a local part and a domain; the domain may lack a point, as in some reports."""
    local, at, domain = text.rpartition("@")
    return bool(at and local and domain) and not domain.startswith((".", "-")) and len(text) <= 320

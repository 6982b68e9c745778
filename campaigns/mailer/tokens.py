"""Tokens that prove that we made them: ids and an HMAC-SHA256 (RFC 2104) cut to 128 bits.

Bound to a purpose, so that the token of a return path can't unsubscribe anybody. Written in lower-case base32
(RFC 4648 section 6), since some mail servers fold the case of a local part. A token is never a login.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence

#: Octets of the HMAC that are kept: 128 bits (OWASP ASVS 11.5.1).
_TAG = 16
_SHORTEST_KEY = 16
_LARGEST_ID = 2**63 - 1
_MOST_IDS = 4
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_SHAPE = re.compile(r"[a-z2-7]{27,100}")
#: Ten bits at a time: base64.b32encode takes four times as long, and a message has four tokens.
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
_MESSAGE_ID_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


class Tokens:
    """Makes tokens with the first of its keys, and reads those of any: put a new key first to rotate.

    Raises ValueError without a key, or for one under 128 bits.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) < _SHORTEST_KEY for key in keys):
            raise ValueError(
                f"tokens need at least one key, and keys of at least {_SHORTEST_KEY} octets"
            )
        self._keys = tuple(keys)

    def make(self, purpose: str, *ids: int) -> str:
        """A token for 1 to 4 ids of 0 to 2**63 - 1: letters and digits, at most 55 of them for two ids."""
        payload = packed(ids)
        return _text(payload + _tag(self._keys[0], purpose, payload))

    def read(self, purpose: str, token: str) -> tuple[int, ...] | None:
        """The ids of a token that was made for this purpose, in any case of letters; None for anything else."""
        octets = _octets(token)
        if octets is None:
            return None
        payload, tag = octets[:-_TAG], octets[-_TAG:]
        return unpacked(payload) if _signed(self._keys, purpose, payload, tag) else None

    def seal(self, purpose: str, payload: bytes) -> bytes:
        """`payload` and its tag, for what is no list of ids."""
        return payload + _tag(self._keys[0], purpose, payload)

    def unseal(self, purpose: str, octets: bytes) -> bytes | None:
        """The payload that was sealed for this purpose with any of the keys; None for anything else."""
        payload, tag = octets[:-_TAG], octets[-_TAG:]
        return payload if _signed(self._keys, purpose, payload, tag) else None


def message_id(delivery_id: int, campaign_id: int, secret: bytes, domain: str) -> str:
    """The Message-ID (RFC 5322 section 3.6.4) of a delivery, the same at every attempt; keep it with the delivery.

    Its left part can't be guessed, since a bounce is also believed by the Message-ID that it quotes. `domain` is in
    A-labels. Raises ValueError for what is no domain, and as `Tokens` does.
    """
    domain = domain.lower()
    if not _MESSAGE_ID_DOMAIN.fullmatch(domain):
        raise ValueError("a Message-ID needs a domain in A-labels")
    return f"<{Tokens([secret]).make('message-id', campaign_id, delivery_id)}@{domain}>"


def message_id_of(text: str) -> tuple[int, int] | None:
    """(campaign_id, delivery_id) that a Message-ID of ours names, else None.

    Nothing is proved by that: whoever wants to know compares it with the one that is kept with the delivery.
    """
    octets = _octets(text.removeprefix("<").partition("@")[0])
    ids = unpacked(octets[:-_TAG]) if octets else None
    return (ids[0], ids[1]) if ids and len(ids) == 2 and max(ids) <= _LARGEST_ID else None


def _tag(key: bytes, purpose: str, payload: bytes) -> bytes:
    return hmac.digest(key, purpose.encode() + b"\0" + payload, hashlib.sha256)[:_TAG]


def _signed(keys: Iterable[bytes], purpose: str, payload: bytes, tag: bytes) -> bool:
    """Tries every key without stopping at the right one, so that the time tells nothing."""
    found = False
    for key in keys:
        found |= hmac.compare_digest(_tag(key, purpose, payload), tag)
    return found


def _octets(token: str) -> bytes | None:
    token = token.lower() if token.isascii() else ""
    if not _SHAPE.fullmatch(token):
        return None
    try:
        octets = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except binascii.Error:
        return None
    # Another spelling of the same octets is no token of ours: it must be usable as a key.
    return octets if _text(octets) == token else None


def _text(octets: bytes) -> str:
    letters = -(-len(octets) * 8 // 5)
    pairs = -(-letters // 2)
    number = int.from_bytes(octets) << pairs * 10 - len(octets) * 8
    found = [_PAIRS[number >> shift & 1023] for shift in range(pairs * 10 - 10, -1, -10)]
    return "".join(found)[:letters]


def packed(ids: Sequence[int]) -> bytes:
    """Seven bits an octet, the highest bit set where another follows: small ids make short addresses."""
    if not 1 <= len(ids) <= _MOST_IDS or min(ids) < 0 or max(ids) > _LARGEST_ID:
        raise ValueError("a token holds 1 to 4 ids of 0 to 2**63 - 1")
    octets = bytearray()
    for number in ids:
        while number > 0x7F:
            octets.append(number & 0x7F | 0x80)
            number >>= 7
        octets.append(number)
    return bytes(octets)


def unpacked(payload: bytes) -> tuple[int, ...] | None:
    """The ids of `packed`; None where the last one is cut short."""
    ids: list[int] = []
    number = shift = 0
    for octet in payload:
        number |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            ids.append(number)
            number = shift = 0
    return tuple(ids) if shift == 0 else None

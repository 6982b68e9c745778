"""DKIM signatures (RFC 6376, RFC 8301, RFC 8463), with OpenSSL doing the private operation and the key loaded once.

Canonicalisation is relaxed/simple, by measuring: our bodies are base64 or quoted-printable, which has no blanks at
line ends for a relay to touch, so a relaxed body would survive nothing more, and looking for loose blanks costs 20 µs
of the 60 µs that a signature takes beside the RSA operation.
"""

import binascii
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from campaigns.mailer.message import Field, Message

#: Signed once more than they occur (RFC 6376 section 8.15), so that nobody can add a second one.
_OVERSIGNED = (
    "from", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version", "content-type",
    "content-transfer-encoding", "list-unsubscribe", "list-unsubscribe-post",
)  # fmt: skip
#: Signed where they occur.
_SIGNED = ("list-id", "auto-submitted", "precedence")

#: Fields that hold the same in every message of a campaign, and nothing about a person.
_SAME = frozenset(
    ["mime-version", "content-type", "list-unsubscribe-post", "auto-submitted", "precedence"]
)

_WHITE_SPACE = re.compile(rb"[ \t\r\n]+")
_DOMAIN = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+"
)
_SELECTOR = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


_PKCS1, _SHA256 = padding.PKCS1v15(), utils.Prehashed(hashes.SHA256())


class Algorithm(StrEnum):
    """The key's type as RFC 6376 section 3.6.1 and RFC 8463 write it in k=."""

    RSA = "rsa"
    ED25519 = "ed25519"


class SigningFault(ValueError):
    """A key, domain or selector that can't be used. `kind` is `key`, `weak`, `domain` or `selector`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


def generate_rsa() -> tuple[str, str]:
    """A new RSA-2048 key: (private key as PKCS #8 PEM, public key in base64 as p= wants it)."""
    return _exported(generate_private_key(public_exponent=65537, key_size=2048))


def generate_ed25519() -> tuple[str, str]:
    """A new Ed25519 key: (private key as PKCS #8 PEM, the 32 octets of the public key in base64, RFC 8463)."""
    return _exported(Ed25519PrivateKey.generate())


def dns_record(algorithm: Algorithm, public: str) -> str:
    """The TXT value to publish at `<selector>._domainkey.<domain>` (RFC 6376 section 3.6.1)."""
    return f"v=DKIM1; k={Algorithm(algorithm).value}; p={public}"


def check_names(domain: str, selector: str) -> None:
    """Raises `SigningFault` for what cannot stand in d= or s= (RFC 6376 section 3.1)."""
    if not _DOMAIN.fullmatch(domain):
        raise SigningFault("domain", f"“{domain[:80]}”不是合规的域名（须为小写的 A-label）")
    if not _SELECTOR.fullmatch(selector):
        raise SigningFault("selector", f"“{selector[:80]}”不是合规的选择器")


class Signer:
    """Signs messages for one domain and selector; safe to share between threads.

    Raises `SigningFault` for a key that can't be read, is not of the algorithm, or has fewer than 1024 bits (RFC 8301).
    """

    def __init__(self, domain: str, selector: str, private_pem: str, algorithm: Algorithm) -> None:
        check_names(domain, selector)
        self._key = _loaded(private_pem, Algorithm(algorithm))
        self.public = _public(self._key)
        self._start = (
            f" v=1; a={Algorithm(algorithm).value}-sha256; c=relaxed/simple;\r\n"
            f"\td={domain}; s={selector};\r\n\tt="
        ).encode()

    def sign(self, message: Message, *, now: datetime) -> Field:
        """The DKIM-Signature field to put on top of the message; `now` is aware and becomes t=. Never writes l=."""
        names, canonical = _signed_header(message.fields)
        value = b"%b%d;\r\n\th=%b;\r\n\tbh=%b;\r\n\tb=" % (
            self._start,
            int(now.timestamp()),
            names,
            _body_hash(message.body),
        )
        signature = self._signature(canonical + b"dkim-signature:" + _relaxed(value))
        encoded = binascii.b2a_base64(signature, newline=False)
        lines = [encoded[start : start + 72] for start in range(0, len(encoded), 72)]
        return b"DKIM-Signature", value + b"\r\n\t ".join(lines) + b"\r\n"

    def _signature(self, data: bytes) -> bytes:
        digest = hashlib.sha256(data).digest()
        if isinstance(self._key, Ed25519PrivateKey):
            # RFC 8463 section 3: PureEdDSA over the SHA-256 of the header, not over the header itself.
            return self._key.sign(digest)
        return self._key.sign(digest, _PKCS1, _SHA256)


def _signed_header(fields: Sequence[Field]) -> tuple[bytes, bytes]:
    """The h= list, and the relaxed fields in its order, each with its CRLF (RFC 6376 sections 3.4.2 and 3.7)."""
    names, order = _order(tuple([name for name, _ in fields]))
    return names, b"".join(
        [
            prefix + (_relaxed_once if same else _relaxed)(fields[index][1]) + b"\r\n"
            for prefix, index, same in order
        ]
    )


@lru_cache(maxsize=64)
def _order(present: tuple[bytes, ...]) -> tuple[bytes, list[tuple[bytes, int, bool]]]:
    """The h= list for a header with these names, which field stands where, and whether its value is the
    same in a whole campaign; all of it is.

    Fields of one name are taken from the bottom up; a name listed once more than it occurs stands for nothing
    (RFC 6376 section 5.4.2).
    """
    lowered = [name.decode().lower() for name in present]
    names: list[str] = []
    order: list[tuple[bytes, int, bool]] = []
    for name in (*_OVERSIGNED, *_SIGNED):
        indexes = [index for index, other in enumerate(lowered) if other == name]
        names.extend([name] * (len(indexes) + (name in _OVERSIGNED)))
        order.extend((name.encode() + b":", index, name in _SAME) for index in reversed(indexes))
    return _folded_names(names), order


def _folded_names(names: list[str]) -> bytes:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > 66:
            lines.append("")
        lines[-1] += name + ":"
    return "\r\n\t ".join(lines).rstrip(":").encode()


def _relaxed(value: bytes) -> bytes:
    # split() is several times faster, but takes VT and FF for white space, which RFC 6376 does not.
    if b"\x0b" in value or b"\x0c" in value:
        return _WHITE_SPACE.sub(b" ", value).strip(b" ")
    return b" ".join(value.split())


_relaxed_once = lru_cache(maxsize=64)(_relaxed)


def _body_hash(body: bytes) -> bytes:
    """RFC 6376 section 3.4.3: as it is, with exactly one CRLF at the end."""
    if not body.endswith(b"\r\n") or body.endswith(b"\r\n\r\n"):
        while body.endswith(b"\r\n"):
            body = body[:-2]
        body += b"\r\n"
    return binascii.b2a_base64(hashlib.sha256(body).digest(), newline=False)


@lru_cache(maxsize=32)
def _loaded(private_pem: str, algorithm: Algorithm) -> RSAPrivateKey | Ed25519PrivateKey:
    """Kept in memory: to check an RSA key takes as long as to sign a hundred messages with it."""
    try:
        key = serialization.load_pem_private_key(private_pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The parser's own words may quote the key, so they are dropped.
        raise SigningFault("key", "无法读取私钥：需要未加密的 PEM") from None
    if algorithm is Algorithm.RSA and isinstance(key, RSAPrivateKey):
        if key.key_size < 1024:
            raise SigningFault("weak", "RSA 密钥少于 1024 位，收件方不会承认（RFC 8301）")
        return key
    if algorithm is Algorithm.ED25519 and isinstance(key, Ed25519PrivateKey):
        return key
    raise SigningFault("key", f"私钥的类型不是 {algorithm.value}")


def _exported(key: RSAPrivateKey | Ed25519PrivateKey) -> tuple[str, str]:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), _public(key)


def _public(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    if isinstance(key, RSAPrivateKey):
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    else:
        encoding, form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    octets = key.public_key().public_bytes(encoding, form)
    return binascii.b2a_base64(octets, newline=False).decode()

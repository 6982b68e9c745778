"""A call of Amazon SNS: is it really theirs, and what does it carry (SNS developer guide, "Verifying the
signatures of Amazon SNS messages").

The certificate's address stands in the call itself, so that it is believed only below Amazon's own name.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

#: Octets; SNS itself carries at most 256 KiB.
LARGEST = 300_000
#: SNS tries for an hour to deliver; what is older was kept by somebody else.
OLDEST = timedelta(hours=2)
_HOST = re.compile(r"sns\.[a-z]{2}(?:-[a-z]{1,12}){1,3}-\d{1,2}\.amazonaws\.com(?:\.cn)?")
# Without a query: an answer of Amazon's to somebody's own question is no certificate of theirs.
_PEM = re.compile(r"/[A-Za-z0-9_-]{1,100}\.pem")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]
_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303


class NotBelieved(Exception):
    """`reason`: form, address, certificate, signature or stale."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Call:
    """`kind` is SNS' Type; `certificate_url` and `subscribe_url` lie below Amazon's name."""

    kind: str
    id: str
    topic: str
    message: str
    certificate_url: str
    subscribe_url: str
    fields: dict[str, str]


def read_call(body: bytes) -> Call:
    """The call as it claims to be; raises NotBelieved for what cannot be one. Nothing is verified yet."""
    try:
        data = json.loads(body[: LARGEST + 1]) if len(body) <= LARGEST else None
    except (ValueError, RecursionError) as error:
        raise NotBelieved("form") from error
    if not isinstance(data, dict):
        raise NotBelieved("form")
    fields = {name: value for name, value in data.items() if isinstance(value, str)}
    # Half a surrogate can be written in JSON and in nothing else; NUL in no database.
    if any("\0" in value or not _is_text(value) for value in fields.values()):
        raise NotBelieved("form")
    wanted = (*("Type", "MessageId", "TopicArn", "Message", "Timestamp", "Signature"),)
    if fields.get("Type") not in _SIGNED or any(not fields.get(name) for name in wanted):
        raise NotBelieved("form")
    certificate, subscribe = fields.get("SigningCertURL", ""), fields.get("SubscribeURL", "")
    path = (
        urlsplit(certificate)._replace(scheme="", netloc="").geturl()
        if is_amazons(certificate)
        else ""
    )
    if not _PEM.fullmatch(path):
        raise NotBelieved("address")
    if fields["Type"] == "SubscriptionConfirmation" and not is_amazons(subscribe):
        raise NotBelieved("address")
    return Call(
        fields["Type"],
        fields["MessageId"][:100],
        fields["TopicArn"][:300],
        fields["Message"],
        certificate,
        subscribe,
        fields,
    )


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_amazons(url: str) -> bool:
    """Whether this is an https address of SNS itself."""
    try:
        parts = urlsplit(url)
        plain = parts.port in (None, 443) and parts.username is None and parts.password is None
    except ValueError:
        return False
    return parts.scheme == "https" and plain and bool(_HOST.fullmatch(parts.hostname or ""))


def verify(call: Call, certificate_pem: bytes, *, now: datetime) -> None:
    """Raises NotBelieved unless the call is signed by the certificate's key, and new. `now` is aware."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        signature = base64.b64decode(call.fields["Signature"], validate=True)
        sent = datetime.fromisoformat(call.fields["Timestamp"].replace("Z", "+00:00"))
    except (ValueError, binascii.Error) as error:
        raise NotBelieved("form") from error
    key = certificate.public_key()
    valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    if not (isinstance(key, RSAPublicKey) and valid):
        raise NotBelieved("certificate")
    algorithm = _HASHES.get(call.fields.get("SignatureVersion", ""))
    if algorithm is None:
        raise NotBelieved("form")
    try:
        key.verify(signature, canonical(call), padding.PKCS1v15(), algorithm)
    except InvalidSignature as error:
        raise NotBelieved("signature") from error
    if sent.tzinfo is None:
        sent = sent.replace(tzinfo=UTC)
    if not now - OLDEST <= sent <= now + OLDEST:
        raise NotBelieved("stale")


def canonical(call: Call) -> bytes:
    """What is signed: the names and values of some fields, in the order of their names."""
    pieces = []
    for name in _SIGNED[call.kind]:
        if name in call.fields:
            pieces += [name, call.fields[name]]
    return "".join(piece + "\n" for piece in pieces).encode()

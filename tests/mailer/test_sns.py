"""A call of Amazon SNS is believed for its signature, by a certificate below Amazon's own name."""

from __future__ import annotations

import base64
import functools
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from campaigns.mailer.sns import NotBelieved, canonical, is_amazons, read_call, verify

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"


@functools.cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def certificate(days: int = 365) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key().public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime.now(UTC) + timedelta(days=days))
        .sign(key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def signed(version: str = "2", *, at: datetime = NOW, **fields: str) -> bytes:
    """A call as SNS would send it."""
    given = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": TOPIC,
        "Message": "hello",
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": version,
        "Signature": "AA==",
        "SigningCertURL": CERTIFICATE,
    } | fields
    call = read_call(json.dumps(given).encode())
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = key().sign(canonical(call), padding.PKCS1v15(), algorithm)
    return json.dumps(given | {"Signature": base64.b64encode(signature).decode()}).encode()


def why(body: bytes, *, now: datetime = NOW) -> str:
    with pytest.raises(NotBelieved) as caught:
        verify(read_call(body), certificate(), now=now)
    return caught.value.reason


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("more", [{}, {"Subject": "Amazon SES"}])
def test_a_signed_call_is_believed(version: str, more: dict[str, str]) -> None:
    call = read_call(signed(version, **more))
    verify(call, certificate(), now=NOW)
    assert (call.kind, call.topic, call.message) == ("Notification", TOPIC, "hello")


def test_what_is_signed_is_written_as_amazon_says() -> None:
    call = read_call(signed(Subject="S"))
    assert canonical(call).decode() == (
        "Message\nhello\nMessageId\nm-1\nSubject\nS\nTimestamp\n2026-11-24T12:00:00.000Z\n"
        f"TopicArn\n{TOPIC}\nType\nNotification\n"
    )


@pytest.mark.parametrize("field", ["Message", "MessageId", "TopicArn", "Timestamp"])
def test_a_changed_field_breaks_the_signature(field: str) -> None:
    data = json.loads(signed())
    data[field] = "2026-11-24T12:00:01.000Z" if field == "Timestamp" else "other"
    assert why(json.dumps(data).encode()) == "signature"


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_call_of_another_time_is_stale(hours: int) -> None:
    assert why(signed(at=NOW + timedelta(hours=hours))) == "stale"


def test_a_certificate_that_ran_out_is_none() -> None:
    assert why(signed(), now=datetime.now(UTC) + timedelta(days=400)) == "certificate"


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://s3.eu-west-1.amazonaws.com/a.pem",
        "https://[::1]/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.txt",
        "https://sns.eu-west-1.amazonaws.com/a.pem?Action=GetTopicAttributes",
        "https://sns.eu-west-1.amazonaws.com/x/a.pem",
    ],
)
def test_a_certificate_from_elsewhere_is_never_fetched(url: str) -> None:
    data = json.loads(signed())
    data["SigningCertURL"] = url
    with pytest.raises(NotBelieved, match="address"):
        read_call(json.dumps(data).encode())


def test_china_has_names_of_its_own() -> None:
    assert is_amazons("https://sns.cn-north-1.amazonaws.com.cn/x.pem")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"null", b"\xff\xfe", b"{" * 50_000, b'{"Type": "Other"}', b"x" * 400_000],
)
def test_what_is_no_call_has_no_form(body: bytes) -> None:
    with pytest.raises(NotBelieved, match="form"):
        read_call(body)


@pytest.mark.parametrize("text", ["\\ud800", "a\\u0000b"])
def test_what_no_database_takes_has_no_form(text: str) -> None:
    body = signed().replace(b'"hello"', f'"{text}"'.encode())
    with pytest.raises(NotBelieved, match="form"):
        read_call(body)


def test_a_confirmation_leads_to_amazon_alone() -> None:
    with pytest.raises(NotBelieved, match="address"):
        signed(Type="SubscriptionConfirmation", Token="t", SubscribeURL="https://evil.example/")

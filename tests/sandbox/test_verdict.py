"""DKIM verdicts on messages that dkimpy itself signed."""

import base64

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from campaigns.sandbox.verdict import Result, Why, dkim_verdict

from .conftest import message


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


@pytest.fixture(scope="module")
def txt(key):
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def signed(key, raw, domain=b"pay.example", selector=b"s1"):
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return dkim.sign(raw, selector, domain, pem) + raw


def test_a_good_signature_passes(key, txt):
    asked = []

    def lookup(domain, selector):
        asked.append((domain, selector))
        return txt

    verdict = dkim_verdict(signed(key, message()), lookup)
    assert (verdict.result, verdict.why) == (Result.PASSED, Why.VERIFIED)
    assert asked == [(verdict.domain, verdict.selector)] == [("pay.example", "s1")]
    assert verdict.passed


def test_a_message_without_a_signature_has_none(txt):
    verdict = dkim_verdict(message(), lambda *_: txt)
    assert (verdict.result, verdict.why) == (Result.NONE, Why.NO_SIGNATURE)
    assert not verdict.passed


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"one dot", b"one d0t", Why.BODY_CHANGED),
        (b"To: li@", b"To: wang@", Why.WRONG_SIGNATURE),
        (b" b=", b" b=BBBB", Why.WRONG_SIGNATURE),
        (b"a=rsa-sha256", b"a=rot13", Why.MALFORMED),
        (b"; d=pay.example", b"", Why.MALFORMED),
        (b"v=1;", b"v=2;", Why.MALFORMED),
    ],
)
def test_a_changed_message_fails(key, txt, old, new, why):
    raw = signed(key, message())
    assert old in raw
    verdict = dkim_verdict(raw.replace(old, new, 1), lambda *_: txt)
    assert (verdict.result, verdict.why) == (Result.FAILED, why)


def test_a_missing_key_is_said(key):
    verdict = dkim_verdict(signed(key, message()), lambda *_: None)
    assert (verdict.result, verdict.why) == (Result.FAILED, Why.NO_KEY)
    assert (verdict.domain, verdict.selector) == ("pay.example", "s1")


@pytest.mark.parametrize(
    "record", ["", "v=DKIM1; p=", "nonsense", "v=DKIM1; k=rsa; p=////", "工资"]
)
def test_a_key_that_cannot_be_read_fails(key, record):
    assert not dkim_verdict(signed(key, message()), lambda *_: record).passed


def test_one_good_signature_of_several_is_enough(key, txt):
    raw = signed(key, signed(key, message()), domain=b"other.example")
    verdict = dkim_verdict(raw, lambda domain, _: txt if domain == "pay.example" else None)
    assert verdict.passed
    assert verdict.domain == "pay.example"


def test_only_a_few_signatures_are_tried(key, txt):
    raw = message()
    for _ in range(8):
        raw = signed(key, raw)
    asked = []
    verdict = dkim_verdict(raw, lambda *pair: asked.append(pair))
    assert verdict.why is Why.NO_KEY
    assert len(asked) == 5


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff",
        b"DKIM-Signature: \r\n\r\n",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=\xff; s=\xff; h=from; b=x; bh=y\r\n\r\n",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=a.b; s=c; h=from; b=x; bh=y; l=zz; t=1e9\r\n"
        b"From: a@a.b\r\n\r\nx",
        b"DKIM-Signature: " + b"a=b;" * 5000 + b"\r\n\r\n",
    ],
)
def test_hostile_input_never_raises(raw, txt):
    assert not dkim_verdict(raw, lambda *_: txt).passed

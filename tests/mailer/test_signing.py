"""Foreign verifiers accept every signature, and refuse what was changed after it."""

import base64
import random
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import dkim
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.mailer.address import Mailbox
from campaigns.mailer.message import Message, Skeleton
from campaigns.mailer.signing import (
    Algorithm,
    Signer,
    SigningFault,
    dns_record,
    generate_ed25519,
    generate_rsa,
)
from tests.peers import need

NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
RSA_PRIVATE, RSA_PUBLIC = generate_rsa()
ED_PRIVATE, ED_PUBLIC = generate_ed25519()
RSA = Signer("corp.example", "hy1", RSA_PRIVATE, Algorithm.RSA)
ED = Signer("corp.example", "hy2", ED_PRIVATE, Algorithm.ED25519)
RECORDS = {
    b"hy1._domainkey.corp.example.": dns_record(Algorithm.RSA, RSA_PUBLIC).encode(),
    b"hy2._domainkey.corp.example.": dns_record(Algorithm.ED25519, ED_PUBLIC).encode(),
}
UNSUBSCRIBE = [
    ("List-Unsubscribe", "<https://corp.example/u/abc>, <mailto:u+abc@corp.example>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
]
PIECES = [
    "\r", "\n", "\r\n", "\r\n\r\n", ".", "..", "\n.\n", " ", "  ", "\t", " \r\n", "=", "=\n", "工资", "a" * 1200,
    "工" * 700, "From ", "--", "\x0b", "\x0c", "\u2028", "é", "\x00", "8,888.88 ",
]  # fmt: skip
bodies = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
subjects = st.lists(
    st.sampled_from(["工资条", " ", "  ", "a", "=?", "?=", ":", "，" * 40, "b" * 90, "\t"])
).map("".join)


def build(
    subject: str = "二〇二六年十一月工资条",
    text: str = "您好",
    html: str = "<p>您好</p>",
    name: str = "张三",
) -> Message:
    skeleton = Skeleton(
        from_=Mailbox(
            "鸿雁公司  人力资源部与财务部联合办公室（请勿直接回复本邮件）", "hr@corp.example"
        ),
        reply_to=Mailbox("", "hr@corp.example"),
        headers=UNSUBSCRIBE,
    )
    return skeleton.build(
        to=Mailbox(name, "zhang@corp.example"), subject=subject, html=html, text=text,
        message_id="<1.2@corp.example>", date=NOW,
    )  # fmt: skip


def dkimpy_accepts(content: bytes, index: int = 0) -> bool:
    return dkim.DKIM(content).verify(index, dnsfunc=lambda name, timeout=5: RECORDS[name])


class _VerifyKey:
    """What dkimpy asks of PyNaCl, so that its Ed25519 path runs without it; canonicalisation and hashing stay dkimpy's."""

    def __init__(self, public: bytes, encoder: object) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public))

    def verify(self, digest: bytes, signature: bytes) -> bytes:
        try:
            self._key.verify(signature, digest)
        except InvalidSignature:
            raise BadSignatureError from None
        return digest


class BadSignatureError(Exception):
    pass


@pytest.fixture
def dkimpy_knows_ed25519(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = SimpleNamespace(
        signing=SimpleNamespace(VerifyKey=_VerifyKey),
        encoding=SimpleNamespace(Base64Encoder=None),
        exceptions=SimpleNamespace(BadSignatureError=BadSignatureError, ValueError=ValueError),
    )
    monkeypatch.setattr(dkim, "nacl", stand_in, raising=False)


@given(
    subject=subjects,
    text=bodies,
    html=bodies,
    name=st.sampled_from(["", "张三", "Li, Si", '"', "长" * 60]),
)
@settings(max_examples=80, deadline=None)
def test_dkimpy_accepts_odd_messages(subject, text, html, name):
    message = build(subject=subject.replace("\t", " "), text=text, html=html, name=name)
    content = message.content([RSA.sign(message, now=NOW)])
    assert dkimpy_accepts(content)
    assert max(map(len, content.split(b"\r\n"))) <= 78


@given(
    body=st.lists(st.sampled_from([b"\r\n", b".", b"..", b" ", b"  ", b"\t", b"a", b" \r\n"])).map(
        b"".join
    )
)
@settings(max_examples=100, deadline=None)
def test_dkimpy_accepts_bodies_that_we_would_not_build(body):
    # Empty ones, without a line end, with empty lines or blanks at the end.
    message = Message([*build().fields, (b"X-Blanks", b"  a \t b\r\n\t c  \r\n")], body)
    assert dkimpy_accepts(message.content([RSA.sign(message, now=NOW)]))


def test_mail_dkim_accepts_odd_messages(tmp_path: Path):
    need("libmail-dkim-perl")
    dice = random.Random(6376)
    for number in range(60):
        text, html = ("".join(dice.choices(PIECES, k=dice.randrange(14))) for _ in range(2))
        subject = "".join(dice.choices(["工资条", " ", "a", "=?", "，" * 40], k=dice.randrange(9)))
        message = build(
            subject=subject, text=text, html=html, name=dice.choice(["", "张三", "长" * 60])
        )
        (tmp_path / f"{number:02}.eml").write_bytes(message.content([RSA.sign(message, now=NOW)]))
    assert mail_dkim(sorted(tmp_path.iterdir())) == ["pass"] * 60


def test_mail_dkim_refuses_a_changed_recipient(tmp_path: Path):
    need("libmail-dkim-perl")
    message = build()
    content = message.content([RSA.sign(message, now=NOW)])
    file = tmp_path / "tampered.eml"
    file.write_bytes(content.replace(b"<zhang@", b"<zhong@"))
    (verdict,) = mail_dkim([file])
    assert verdict.startswith("fail")


def mail_dkim(files: list[Path]) -> list[str]:
    script = Path(__file__).with_name("verify_dkim.pl")
    record = RECORDS[b"hy1._domainkey.corp.example."].decode()
    done = subprocess.run(
        ["perl", str(script), record, *map(str, files)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.usefixtures("dkimpy_knows_ed25519")
def test_an_rsa_and_an_ed25519_signature_stand_side_by_side():
    message = build()
    content = message.content([ED.sign(message, now=NOW), RSA.sign(message, now=NOW)])
    assert dkimpy_accepts(content, 0)
    assert dkimpy_accepts(content, 1)
    assert not dkimpy_accepts(content.replace(b"<zhang@", b"<zhong@"), 0)


@pytest.mark.parametrize(
    "added",
    [b"From: a@evil.example", b"To: b@evil.example", b"Cc: b@evil.example", b"Subject: x", b"Reply-To: a@evil.example",
     b"Date: now", b"Message-ID: <x@y>", b"Content-Type: text/html", b"List-Unsubscribe: <https://evil.example>",
     b"List-Unsubscribe-Post: x", b"MIME-Version: 1.0", b"Content-Transfer-Encoding: base64"],
)  # fmt: skip
def test_a_second_field_breaks_the_signature(added):
    message = build()
    content = message.content([RSA.sign(message, now=NOW)])
    assert dkimpy_accepts(content)
    with_second = content.replace(b"\r\n\r\n", b"\r\n" + added + b"\r\n\r\n", 1)
    # dkimpy refuses some of these by an exception of its own (two From fields).
    try:
        assert not dkimpy_accepts(with_second)
    except dkim.DKIMException:
        assert added.startswith(b"From")


def test_a_changed_body_breaks_the_signature():
    message = build(text="Net pay 8888.88")
    content = message.content([RSA.sign(message, now=NOW)])
    with pytest.raises(dkim.ValidationError, match="body hash"):
        dkimpy_accepts(content.replace(message.body, message.body.replace(b"8888", b"9888")))


def test_it_says_what_it_covers_and_never_a_length():
    message = build()
    name, value = RSA.sign(message, now=NOW)
    tags = dict(re.findall(r"(\w+)=([^;]*)", re.sub(r"\s", "", value.decode())))
    assert name == b"DKIM-Signature"
    assert (tags["v"], tags["a"], tags["d"], tags["s"]) == (
        "1",
        "rsa-sha256",
        "corp.example",
        "hy1",
    )
    assert tags["t"] == str(int(NOW.timestamp()))
    assert "l" not in tags
    covered = tags["h"].split(":")
    for field in (
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "reply-to",
        "list-unsubscribe",
        "list-unsubscribe-post",
    ):
        assert covered.count(field) == 2, field


def test_the_dns_record_is_what_the_rfc_shows():
    assert dns_record(Algorithm.RSA, "AAAA") == "v=DKIM1; k=rsa; p=AAAA"
    assert dns_record(Algorithm.ED25519, "AAAA") == "v=DKIM1; k=ed25519; p=AAAA"
    assert len(base64.b64decode(ED_PUBLIC)) == 32
    assert (RSA.public, ED.public) == (RSA_PUBLIC, ED_PUBLIC)


def test_a_generated_rsa_key_has_2048_bits():
    key = serialization.load_der_public_key(base64.b64decode(RSA_PUBLIC))
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 2048


@pytest.mark.parametrize(
    "pem",
    ["", "garbage", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", RSA_PUBLIC],
)
def test_it_rejects_what_is_no_key_without_quoting_it(pem):
    with pytest.raises(SigningFault) as fault:
        Signer("corp.example", "hy1", pem, Algorithm.RSA)
    assert fault.value.kind == "key"
    assert not pem or pem not in fault.value.text


def test_it_rejects_a_locked_key_a_weak_key_and_one_of_the_other_kind():
    locked = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    for pem, algorithm in (
        (locked.decode(), Algorithm.RSA),
        (ED_PRIVATE, Algorithm.RSA),
        (RSA_PRIVATE, Algorithm.ED25519),
    ):
        with pytest.raises(SigningFault) as fault:
            Signer("corp.example", "hy1", pem, algorithm)
        assert fault.value.kind == "key"


@pytest.mark.parametrize(("domain", "selector"), [
    ("corp.example;\r\n d=x", "a"), ("corp", "a"), ("-corp.example", "a"), ("Corp.example", "a"), ("公司.中国", "a"),
    ("corp.example", ""), ("corp.example", "a b"), ("corp.example", "a;t=1"), ("corp.example", "a\r\nX: y"), ("corp.example", "a."),
])  # fmt: skip
def test_it_rejects_a_domain_or_selector_that_could_break_the_field(domain, selector):
    with pytest.raises(SigningFault):
        Signer(domain, selector, RSA_PRIVATE, Algorithm.RSA)


def test_signing_is_nearly_as_fast_as_the_private_operation_alone():
    message = build(html="<p>尊敬的张三，您好：本月工资如下</p>\n" * 150)
    key = serialization.load_pem_private_key(RSA_PRIVATE.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    raw = min(
        seconds(lambda: key.sign(b"x" * 900, padding.PKCS1v15(), hashes.SHA256())) for _ in range(3)
    )
    signed = min(seconds(lambda: RSA.sign(message, now=NOW)) for _ in range(3))
    # 0.92 was measured and 0.8 is the aim, which the benchmark keeps; the slack is for a busy machine.
    assert raw / signed > 0.6


def seconds(operation) -> float:
    started = time.process_time()
    for _ in range(150):
        operation()
    return time.process_time() - started

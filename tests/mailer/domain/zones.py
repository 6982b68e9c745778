"""The sound domain of the tests, and how one mistake at a time is put into it."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from campaigns.mailer.domain.dkim_record import SigningRecord
from campaigns.mailer.domain.doctor import Report, Route, Subject, examine
from campaigns.mailer.domain.lookups import Limits
from campaigns.mailer.signing import Algorithm, dns_record, generate_ed25519, generate_rsa
from tests.fakes.dns_server import DnsServer, Zone, dns_server

DOMAIN = "corp.example.com"
KEY_NAME = f"s1._domainkey.{DOMAIN}"
DMARC_NAME = f"_dmarc.{DOMAIN}"
SERVER = "11.22.33.44"
#: What a provider publishes, as far as the tests need it.
PROVIDER: dict[tuple[str, str], Sequence[Any]] = {
    ("spf.mail.qq.com", "TXT"): ["v=spf1 ip4:101.226.139.0/25 include:more.mail.qq.com -all"],
    ("more.mail.qq.com", "TXT"): ["v=spf1 ip4:112.90.142.0/24 -all"],
}

EXMAIL = Route("企业邮箱", "smtp.exmail.qq.com", "exmail")
OWN = Route("自有服务器", f"mail.{DOMAIN}", "own")
DIRECT = Route("直接投递", f"mail.{DOMAIN}", "direct", is_direct=True, source=SERVER)


@cache
def rsa() -> SigningRecord:
    return SigningRecord("s1", Algorithm.RSA, generate_rsa()[1])


@cache
def other_rsa() -> str:
    return generate_rsa()[1]


@cache
def short_rsa() -> SigningRecord:
    """1024 bits: still accepted, and no longer enough."""
    import base64

    public = generate_private_key(public_exponent=65537, key_size=1024).public_key()
    octets = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return SigningRecord("s1", Algorithm.RSA, base64.b64encode(octets).decode())


@cache
def ed25519() -> SigningRecord:
    return SigningRecord("s2", Algorithm.ED25519, generate_ed25519()[1])


def published(key: SigningRecord | None = None) -> str:
    key = key or rsa()
    return dns_record(key.algorithm, key.public)


def sound_zone() -> dict[tuple[str, str], Sequence[Any]]:
    """A domain without a fault, for Exmail and for a server of its own."""
    return {
        **PROVIDER,
        (DOMAIN, "TXT"): [
            "some-site-verification=1",
            f"v=spf1 ip4:{SERVER} include:spf.mail.qq.com -all",
        ],
        (KEY_NAME, "TXT"): [published()],
        (DMARC_NAME, "TXT"): [f"v=DMARC1; p=reject; rua=mailto:dmarc@{DOMAIN}"],
        (DOMAIN, "MX"): [f"10 mail.{DOMAIN}."],
        (f"mail.{DOMAIN}", "A"): [SERVER],
        ("44.33.22.11.in-addr.arpa", "PTR"): [f"mail.{DOMAIN}."],
    }


def report(
    changes: Zone,
    *,
    route: Route | None = EXMAIL,
    keys: Sequence[SigningRecord] | None = None,
    domain: str = DOMAIN,
    servfail: Collection[str] = (),
    silent: Collection[str] = (),
) -> Report:
    """The report on the sound domain with these records instead; an empty list takes a record away."""
    zone = {name: records for name, records in {**sound_zone(), **changes}.items() if records}
    with dns_server(zone, servfail=servfail, silent=silent) as server:
        # A busy machine must not look like a silent server: only where one is waited for is it short.
        seconds = 0.4 if silent else 5.0
        return ask(server, route=route, keys=keys, domain=domain, seconds=seconds)


def ask(
    server: DnsServer,
    *,
    route: Route | None = EXMAIL,
    keys: Sequence[SigningRecord] | None = None,
    domain: str = DOMAIN,
    seconds: float = 2.0,
) -> Report:
    subject = Subject(domain, (rsa(),) if keys is None else keys, route)
    limits = Limits(query_seconds=seconds, total_seconds=20)
    return examine(subject, server.resolver(), clock=time.monotonic, limits=limits)


def codes(found: Report) -> set[str]:
    return {str(finding.code) for finding in found.findings}

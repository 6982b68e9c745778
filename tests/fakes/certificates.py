"""Certificates for fake servers: right, for another host, expired, self-signed."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Issued:
    """PEM texts; `ca_pem` is what a client must trust for the certificate to be accepted."""

    certificate_pem: str
    key_pem: str
    ca_pem: str

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "server.pem"
            path.write_text(self.certificate_pem + self.key_pem)
            context.load_cert_chain(path)
        return context


@lru_cache
def issue(host: str = "localhost", *, expired: bool = False, self_signed: bool = False) -> Issued:
    """A certificate for `host` (and 127.0.0.1, ::1 where host is localhost), by a CA made for it."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("Hongyan test authority")
    ca = _builder(ca_name, ca_name, ca_key.public_key(), expired=False)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    authority = ca.sign(ca_key, hashes.SHA256())
    key = ec.generate_private_key(ec.SECP256R1())
    issuer, signer = (_name(host), key) if self_signed else (ca_name, ca_key)
    built = _builder(_name(host), issuer, key.public_key(), expired=expired)
    built = built.add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
    certificate = built.sign(signer, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Issued(_pem(certificate), private.decode(), _pem(authority))


def _names(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ("127.0.0.1", "::1")]
    return names


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, expired: bool
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    until = now - dt.timedelta(days=1) if expired else now + dt.timedelta(days=30)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=60))
        .not_valid_after(until)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()

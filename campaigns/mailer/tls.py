"""TLS to relays and maildrops (RFC 8314, RFC 9325): always verified, never below TLS 1.2.

`wrap_unverified` is for a recipient's own server alone (RFC 7435), where the choice is between it and plain text.
"""

import socket
import ssl
from functools import lru_cache

from campaigns.mailer.reply_reasons import Reason

# OpenSSL's X509_V_ERR numbers.
_EXPIRED = frozenset({9, 10})
_OTHER_HOST = frozenset({62, 63, 64})


class TlsFailure(Exception):
    """The handshake failed; `reason` says how."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(str(reason))


@lru_cache(maxsize=64)
def client_context(ca_pem: str | None = None) -> ssl.SSLContext:
    """A verifying client context; `ca_pem` replaces the system's authorities.

    Cached, since reading the system's authorities costs more than a handshake. Raises `TlsFailure`
    where `ca_pem` holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_pem is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise TlsFailure(Reason.CA_UNREADABLE) from error
    return context


def wrap(raw: socket.socket, host: str, ca_pem: str | None, timeout: float) -> ssl.SSLSocket:
    """Handshakes within `timeout` seconds and verifies `host`. Raises `TlsFailure`; closes `raw` then."""
    try:
        context = client_context(ca_pem)
    except TlsFailure:
        raw.close()
        raise
    return _handshake(context, raw, host, timeout)


def wrap_unverified(raw: socket.socket, host: str, timeout: float) -> ssl.SSLSocket:
    """Handshakes with whoever is there: no password goes this way. Raises `TlsFailure`; closes `raw` then."""
    return _handshake(_unverified_context(), raw, host, timeout)


@lru_cache(maxsize=1)
def _unverified_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _handshake(
    context: ssl.SSLContext, raw: socket.socket, host: str, timeout: float
) -> ssl.SSLSocket:
    try:
        raw.settimeout(timeout)
        return context.wrap_socket(raw, server_hostname=host)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raw.close()
        raise TlsFailure(_reason(error)) from error


def _reason(error: Exception) -> Reason:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _EXPIRED:
            return Reason.CERTIFICATE_EXPIRED
        if error.verify_code in _OTHER_HOST:
            return Reason.CERTIFICATE_HOST
        return Reason.CERTIFICATE_UNTRUSTED
    if isinstance(error, TimeoutError):
        return Reason.TIMED_OUT
    return Reason.TLS_FAILED

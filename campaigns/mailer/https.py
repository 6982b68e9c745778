"""One POST to an address that a user may have typed: HTTPS, verified, small, short, and only to where we may go.

The host is looked up once, its addresses are judged, and the connection goes to one of exactly those (outbound.py). A
redirect is not followed: it is an answer like any other.
"""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlencode, urlsplit

from campaigns.mailer.outbound import Resolver, is_loopback, is_permitted, resolve
from campaigns.mailer.smtp_session import Connector, connect_tcp
from campaigns.mailer.tls import TlsFailure, wrap

#: Octets of an answer's body that are read; more is no answer to us.
MAX_BODY = 256 * 1024
#: Octets of an address.
_MAX_URL = 2048


@dataclass(frozen=True, slots=True)
class Answer:
    """The status code and the body."""

    status: int
    body: bytes


class PostFailure(Exception):
    """No answer. `reason` is one of `url`, `unresolved`, `address_forbidden`, `unreachable`, `timed_out`, `protocol`,
    `flooded`, or a word of tls.py."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def checked(url: str, *, allow_private: bool) -> SplitResult:
    """The parts of an address that a POST may go to; plain http only to this machine, and only where that is allowed.

    Raises `PostFailure`.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise PostFailure("url") from None
    is_plain = parts.scheme == "http" and allow_private and _is_this_machine(host)
    is_clean = url.isascii() and url.isprintable() and " " not in url and len(url) <= _MAX_URL
    if not (is_clean and host and (parts.scheme == "https" or is_plain)):
        raise PostFailure("url")
    if parts.username is not None or parts.fragment or port == 0:
        raise PostFailure("url")
    return parts


def _is_this_machine(host: str) -> bool:
    try:
        return is_loopback(host)
    except ValueError:
        return host == "localhost"


def post(
    url: str,
    body: Mapping[str, str] | bytes,
    *,
    headers: Mapping[str, str] | None = None,
    allow_private: bool = False,
    seconds: float = 20.0,
    ca_pem: str | None = None,
    resolver: Resolver = resolve,
    connector: Connector = connect_tcp,
) -> Answer:
    """Sends a form (a mapping) or octets whose type the headers name. Ends within `seconds`, however slowly the
    answer drips in. `ca_pem` replaces the system's authorities. Raises `PostFailure`."""
    parts = checked(url, allow_private=allow_private)
    given = {"Accept": "application/json", "Connection": "close", **(headers or {})}
    if isinstance(body, bytes):
        octets = body
    else:
        octets = urlencode(body).encode("ascii")
        given["Content-Type"] = "application/x-www-form-urlencoded"
    sock = _connected(parts, allow_private, seconds, resolver, connector, ca_pem=ca_pem)
    return _answer(sock, parts, seconds, octets, given)


def get(
    url: str,
    *,
    seconds: float = 20.0,
    resolver: Resolver = resolve,
    connector: Connector = connect_tcp,
) -> Answer:
    """A GET of an address in the public internet; as `post` otherwise."""
    parts = checked(url, allow_private=False)
    sock = _connected(parts, False, seconds, resolver, connector, ca_pem=None)
    return _answer(sock, parts, seconds, None, {"Connection": "close"})


def _answer(
    sock: socket.socket,
    parts: SplitResult,
    seconds: float,
    octets: bytes | None,
    headers: Mapping[str, str],
) -> Answer:
    with contextlib.closing(sock), _cut_after(sock, seconds) as cut:
        try:
            answer = _exchange(sock, parts, octets, headers)
        except (OSError, http.client.HTTPException) as error:
            late = cut.is_set() or isinstance(error, TimeoutError)
            raise PostFailure("timed_out" if late else "protocol") from None
        if cut.is_set():  # a body without a length ends where it was cut
            raise PostFailure("timed_out")
        return answer


def _connected(
    parts: SplitResult,
    allow_private: bool,
    seconds: float,
    resolver: Resolver,
    connector: Connector,
    *,
    ca_pem: str | None,
) -> socket.socket:
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = list(resolver(host, port))
    except OSError:
        raise PostFailure("unresolved") from None
    allowed = [one for one in found if is_permitted(one, allow_private=allow_private)]
    if not allowed:
        raise PostFailure("address_forbidden" if found else "unresolved")
    try:
        sock = connector(allowed[0], port, seconds)
    except TimeoutError:
        raise PostFailure("timed_out") from None
    except OSError:
        raise PostFailure("unreachable") from None
    if parts.scheme == "http":
        return sock
    try:
        return wrap(sock, host, ca_pem, seconds)
    except TlsFailure as failure:
        raise PostFailure(failure.reason.value) from None


@contextlib.contextmanager
def _cut_after(sock: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """Each read has its own time limit; all of them together have this one. Yields whether it was cut."""
    cut = threading.Event()

    def end() -> None:
        cut.set()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield cut
    finally:
        timer.cancel()


def _exchange(
    sock: socket.socket, parts: SplitResult, octets: bytes | None, headers: Mapping[str, str]
) -> Answer:
    client = http.client.HTTPConnection(parts.hostname or "", parts.port)
    client.sock, client.auto_open = sock, 0
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    client.request("GET" if octets is None else "POST", target, octets, dict(headers))
    with client.getresponse() as answer:
        body = answer.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise PostFailure("flooded")
        if answer.length:  # less came than was promised
            raise PostFailure("protocol")
        return Answer(answer.status, body)

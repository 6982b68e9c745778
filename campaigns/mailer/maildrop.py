"""A maildrop as the collecting stage sees it, whatever its protocol (RFC 1939, RFC 9051).

`open_maildrop` gives a session by POP3 or IMAP. In both `delete` only marks, and what was marked leaves its
folder by a `quit` that succeeds: whoever is cut off before finds every message again under the same id.
"""

import builtins
import socket
from collections.abc import Callable
from typing import Protocol, Self

from campaigns.mailer.outbound import Resolver, is_loopback, is_permitted
from campaigns.mailer.pop3_errors import MaildropFailure, Phase, Problem
from campaigns.mailer.pop3_settings import Pop3Settings, PopTls
from campaigns.mailer.pop3_wire import PopWire, WireFailure
from campaigns.mailer.tls import TlsFailure, wrap

#: ((IP address, port), seconds) -> connected socket. Raises OSError.
Connector = Callable[[tuple[str, int], float], socket.socket]
Clock = Callable[[], float]

#: Characters kept of the server's text in a failure.
_MAX_REPLY = 500


class Session(Protocol):
    """An open session. Every method raises `MaildropFailure`; unless its `is_open` says otherwise the
    connection is then closed, and nothing that was marked is gone. Not safe for two threads at once."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def list(self) -> builtins.list[tuple[int, str, int]]:
        """(number in this session, unique id for good, octets) of each message."""

    def top(self, number: int, lines: int, *, max_bytes: int = ...) -> bytes:
        """The header section and about `lines` lines of the body."""

    def retrieve(self, number: int, max_bytes: int) -> bytes:
        """The whole message. TOO_BIG, with the session open, for one announced bigger than `max_bytes`."""

    def delete(self, number: int) -> None:
        """Marks a message: `quit` removes it, or moves it where the settings say so."""

    def quit(self) -> None:
        """Removes what was marked and closes. After a failure it is unknown what was removed."""

    def close(self) -> None:
        """Closes without removing anything; may be called twice."""


def connect(settings: Pop3Settings, resolver: Resolver, connector: Connector) -> socket.socket:
    """To the first permitted address that answers. The name is looked up once, so that it cannot
    change between the check and the connection."""
    try:
        found = list(resolver(settings.host, settings.port))
    except OSError:
        found = []
    if not found:
        raise MaildropFailure(Phase.CONNECT, Problem.UNRESOLVED)
    allowed = [ip for ip in found if is_permitted(ip, allow_private=settings.allow_private)]
    if not allowed:
        raise MaildropFailure(Phase.CONNECT, Problem.ADDRESS_FORBIDDEN)
    if settings.tls is PopTls.NONE and not all(map(is_loopback, allowed)):
        raise MaildropFailure(Phase.CONNECT, Problem.PLAIN_TEXT_FORBIDDEN)
    problem = Problem.UNREACHABLE
    for address in allowed[:4]:
        try:
            return connector((address, settings.port), settings.timeouts.connect)
        except TimeoutError:
            problem = Problem.TIMED_OUT
        except OSError:
            problem = Problem.UNREACHABLE
    raise MaildropFailure(Phase.CONNECT, problem)


def ask_for_tls(ask: Callable[[], object]) -> None:
    """Sends the command before TLS; a server that refuses it has none."""
    try:
        ask()
    except MaildropFailure as failure:
        if failure.is_open:
            raise MaildropFailure(Phase.STLS, Problem.TLS_MISSING, failure.reply) from None
        raise


def encrypt(wire: PopWire, settings: Pop3Settings, phase: Phase) -> None:
    """TLS from here on, verified for the host's name."""
    try:
        seconds = wire.left(settings.timeouts.greeting)
        wire.upgrade(lambda sock: wrap(sock, settings.host, settings.ca_pem, seconds))
    except TlsFailure as failure:
        raise MaildropFailure(phase, Problem(failure.reason.value)) from failure
    except WireFailure as failure:
        raise MaildropFailure(phase, failure.problem) from failure


def readable(text: bytes, settings: Pop3Settings) -> str:
    """The server's words; Chinese houses write GBK. Some repeat what they were sent: no secret is left in."""
    try:
        said = text.decode("utf-8")
    except UnicodeDecodeError:
        said = text.decode("gb18030", "replace")
    for secret in (settings.password, settings.access_token):
        said = said.replace(secret, "…") if secret else said
    return "".join(c if c.isprintable() else " " for c in said).strip()[:_MAX_REPLY]

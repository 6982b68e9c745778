"""From a host name to a connection that is ready for mail: address, TLS, EHLO, login.

RFC 5321 3.1-3.2, RFC 3207 (STARTTLS), RFC 8314 (implicit TLS), RFC 4954 (AUTH). Whatever goes wrong is
a `RelayFailure`, and nothing here falls back to plain text.
"""

import contextlib
import socket
from collections.abc import Callable

from campaigns.mailer.outbound import Resolver, is_loopback, is_permitted
from campaigns.mailer.reply import Phase, Reply
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.smtp_envelope import Capabilities
from campaigns.mailer.smtp_errors import RelayFailure
from campaigns.mailer.smtp_login import Login
from campaigns.mailer.smtp_settings import RelaySettings, TlsMode
from campaigns.mailer.smtp_wire import RawReply, Wire, WireFailure
from campaigns.mailer.tls import TlsFailure, wrap, wrap_unverified

#: (IP address, port, seconds) -> connected socket. Raises OSError.
Connector = Callable[[str, int, float], socket.socket]


def connect_tcp(address: str, port: int, seconds: float, *, source: str = "") -> socket.socket:
    """The default connector; `source` is the address to leave from, "" for the system's choice."""
    return socket.create_connection((address, port), seconds, (source, 0) if source else None)


class Opening:
    """The setup of one connection; all of it ends within `timeouts.setup` seconds."""

    def __init__(self, settings: RelaySettings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._clock = clock
        self._deadline = clock() + settings.timeouts.setup

    def connect(self, resolver: Resolver, connector: Connector) -> Wire:
        """A wire to the first permitted address that answers; with implicit TLS already encrypted."""
        addresses = self._addresses(resolver)
        failure = Reason.UNREACHABLE
        for address in addresses:
            seconds = self._limit(self.settings.timeouts.connect)
            try:
                sock = connector(address, self.settings.port, seconds)
            except TimeoutError:
                failure = Reason.TIMED_OUT
            except OSError:
                failure = Reason.UNREACHABLE
            else:
                return self._prepared(sock)
        raise RelayFailure(Phase.CONNECT, failure)

    def _addresses(self, resolver: Resolver) -> list[str]:
        settings = self.settings
        try:
            found = list(resolver(settings.host, settings.port))
        except OSError:
            found = []
        if not found:
            raise RelayFailure(Phase.CONNECT, Reason.UNRESOLVED)
        allowed = [ip for ip in found if is_permitted(ip, allow_private=settings.allow_private)]
        if not allowed:
            raise RelayFailure(Phase.CONNECT, Reason.ADDRESS_FORBIDDEN)
        is_plain = settings.tls is TlsMode.NONE and not settings.plain_allowed
        if is_plain and not all(map(is_loopback, allowed)):
            raise RelayFailure(Phase.CONNECT, Reason.PLAIN_TEXT_FORBIDDEN)
        return allowed

    def _prepared(self, sock: socket.socket) -> Wire:
        # Replies are awaited, so Nagle's algorithm would only add its delay.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.settings.tls is TlsMode.IMPLICIT:
            sock = self._encrypted(sock, Phase.CONNECT)
        return Wire(sock, self._clock)

    def _encrypted(self, sock: socket.socket, phase: Phase) -> socket.socket:
        seconds = self._limit(self.settings.timeouts.command)
        try:
            if self.settings.tls is TlsMode.OPPORTUNISTIC:
                return wrap_unverified(sock, self.settings.host, seconds)
            return wrap(sock, self.settings.host, self.settings.ca_pem, seconds)
        except TlsFailure as failure:
            raise RelayFailure(phase, failure.reason) from failure

    def introduce(self, wire: Wire) -> Capabilities:
        """Greeting, EHLO, STARTTLS, AUTH. Returns what the server offers on the way it is now."""
        code, lines = self._read(wire, Phase.GREETING, self.settings.timeouts.greeting)
        if code != 220:
            raise RelayFailure(Phase.GREETING, Reason.RELAY_REFUSED, Reply.parse(code, lines))
        offered = self._ehlo(wire)
        if self._encrypts(offered):
            self._starttls(wire, offered)
            offered = self._ehlo(wire)  # RFC 3207 4.2: what was said before TLS doesn't count
        if self.settings.username:
            Login(self.settings).run(offered, lambda line: self._ask(wire, Phase.AUTH, line))
        return offered

    def _encrypts(self, offered: Capabilities) -> bool:
        if self.settings.tls is TlsMode.OPPORTUNISTIC:
            return offered.starttls
        return self.settings.tls is TlsMode.STARTTLS

    def _ehlo(self, wire: Wire) -> Capabilities:
        """EHLO, and HELO for a server that knows no better (RFC 5321 3.2); it offers nothing then."""
        code, lines = self._ask(wire, Phase.EHLO, f"EHLO {self.settings.ehlo_name}")
        if code == 250:
            return Capabilities.parse(lines)
        if 500 <= code < 600:
            code, lines = self._ask(wire, Phase.EHLO, f"HELO {self.settings.ehlo_name}")
            if code == 250:
                return Capabilities()
        raise RelayFailure(Phase.EHLO, Reason.RELAY_REFUSED, Reply.parse(code, lines))

    def _starttls(self, wire: Wire, offered: Capabilities) -> None:
        if not offered.starttls:
            raise RelayFailure(Phase.STARTTLS, Reason.TLS_MISSING)
        code, lines = self._ask(wire, Phase.STARTTLS, "STARTTLS")
        if code != 220:
            raise RelayFailure(Phase.STARTTLS, Reason.TLS_MISSING, Reply.parse(code, lines))
        try:
            wire.upgrade(lambda sock: self._encrypted(sock, Phase.STARTTLS))
        except WireFailure as failure:
            raise RelayFailure(Phase.STARTTLS, failure.reason) from None

    def _ask(self, wire: Wire, phase: Phase, command: str) -> RawReply:
        seconds = self._limit(self.settings.timeouts.command)
        try:
            wire.write(command.encode("ascii") + b"\r\n", seconds)
        except WireFailure as failure:
            raise RelayFailure(phase, failure.reason) from None
        return self._read(wire, phase, seconds)

    def _read(self, wire: Wire, phase: Phase, seconds: float) -> RawReply:
        try:
            return wire.read_reply(self._limit(seconds))
        except WireFailure as failure:
            raise RelayFailure(phase, failure.reason) from None

    def _limit(self, seconds: float) -> float:
        return max(0.01, min(seconds, self._deadline - self._clock()))

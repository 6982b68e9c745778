"""A POP3 client for the mailbox that bounces come back to (RFC 1939, 2449, 2595, 5034, 8314).

Stage: collect. Record, then delete: `delete` marks, and only a `quit` that succeeds removes; whoever
is cut off before it finds every message again under the same UIDL. Not safe for two threads at once.
"""

import base64
import socket
import time
from typing import Self

from campaigns.mailer import xoauth2
from campaigns.mailer.maildrop import (
    Clock,
    Connector,
    ask_for_tls,
    connect,
    encrypt,
    readable,
)
from campaigns.mailer.outbound import Resolver, resolve
from campaigns.mailer.pop3_errors import MaildropFailure, Phase, Problem, login_problem, refusal
from campaigns.mailer.pop3_settings import Pop3Settings, PopTls
from campaigns.mailer.pop3_wire import MAX_LISTING, PopWire, WireFailure

#: Characters kept of a unique id (RFC 1939, 7: 70).
_MAX_UIDL = 255
#: Octets of a command line (RFC 2449, 4).
_MAX_COMMAND = 255


class Maildrop:
    """An open session. Every method raises `MaildropFailure`; unless its `is_open` says otherwise the
    connection is then closed, and nothing that was marked is deleted."""

    def __init__(self, settings: Pop3Settings, wire: PopWire) -> None:
        self._settings = settings
        self._wire = wire
        self._sizes: dict[int, int] = {}

    @classmethod
    def open(
        cls,
        settings: Pop3Settings,
        *,
        resolver: Resolver = resolve,
        connector: Connector = socket.create_connection,
        clock: Clock = time.monotonic,
    ) -> Self:
        """Connects to the first permitted address of the host, encrypts and logs in."""
        deadline = clock() + settings.timeouts.session
        sock = connect(settings, resolver, connector)
        maildrop = cls(settings, PopWire(sock, clock, deadline))
        try:
            maildrop._introduce()
        except MaildropFailure as failure:
            maildrop.close()
            raise failure.closed() from None
        except BaseException:
            maildrop.close()
            raise
        return maildrop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what a poller does

    def list(self) -> list[tuple[int, str, int]]:
        """(message number, unique id, octets) of each message, by number. UIDL is required."""
        self._command(Phase.LIST, "LIST")
        sizes = _numbers(self._block(Phase.LIST, MAX_LISTING))
        try:
            self._command(Phase.LIST, "UIDL")
        except MaildropFailure as failure:
            if failure.is_open:
                self.close()
                raise MaildropFailure(Phase.LIST, Problem.UIDL_MISSING, failure.reply) from failure
            raise
        uidls = _numbers(self._block(Phase.LIST, MAX_LISTING))
        self._sizes = {number: int(text) for number, text in sizes.items() if text.isdigit()}
        if any(number not in uidls for number in sizes):
            self.close()
            raise MaildropFailure(Phase.LIST, Problem.PROTOCOL)
        return [(n, uidls[n][:_MAX_UIDL], self._sizes.get(n, 0)) for n in sorted(sizes)]

    def top(self, number: int, lines: int, *, max_bytes: int = 1024 * 1024) -> bytes:
        """The header section and the first `lines` lines of the body (RFC 1939, 7)."""
        self._command(Phase.RETRIEVE, f"TOP {number:d} {lines:d}")
        return self._block(Phase.RETRIEVE, max_bytes)

    def retrieve(self, number: int, max_bytes: int) -> bytes:
        """The whole message. One that is announced bigger than `max_bytes` fails with TOO_BIG before
        a byte of it is sent, and the session stays open: `top` reads its beginning. One that turns
        out bigger than announced closes the connection (FLOODED)."""
        if self._sizes.get(number, 0) > max_bytes:
            raise MaildropFailure(Phase.RETRIEVE, Problem.TOO_BIG, is_open=True)
        self._command(Phase.RETRIEVE, f"RETR {number:d}")
        return self._block(Phase.RETRIEVE, max_bytes)

    def delete(self, number: int) -> None:
        """Marks a message; it is removed by `quit` alone."""
        self._command(Phase.DELETE, f"DELE {number:d}")

    def quit(self) -> None:
        """Removes what was marked and closes. After a failure it is unknown what was removed: what
        is still there comes again under its UIDL."""
        try:
            self._command(Phase.QUIT, "QUIT", seconds=self._settings.timeouts.quit)
        except MaildropFailure as failure:
            raise failure.closed() from None
        finally:
            self.close()

    def close(self) -> None:
        """Closes without removing anything; may be called twice."""
        self._wire.close()

    # --- the beginning

    def _introduce(self) -> None:
        settings = self._settings
        if settings.tls is PopTls.IMPLICIT:
            encrypt(self._wire, settings, Phase.CONNECT)
        self._answer(Phase.GREETING, settings.timeouts.greeting)
        offered = self._capabilities()
        if settings.tls is PopTls.STLS:
            ask_for_tls(lambda: self._command(Phase.STLS, "STLS"))
            encrypt(self._wire, settings, Phase.STLS)
            offered = self._capabilities()  # what was said before TLS doesn't count
        try:
            self._login(offered)
        except MaildropFailure as failure:
            if not failure.is_open:
                raise
            kind = login_problem(failure.reply, settings.host)
            raise MaildropFailure(Phase.LOGIN, kind, failure.reply) from None

    def _capabilities(self) -> dict[str, str]:
        """CAPA (RFC 2449): name to arguments in capitals; empty where the server knows no CAPA."""
        try:
            self._command(Phase.GREETING, "CAPA")
        except MaildropFailure as failure:
            if failure.is_open:
                return {}
            raise
        lines = self._block(Phase.GREETING, 64 * 1024).decode("ascii", "replace").upper()
        split = (line.split(" ", 1) for line in lines.splitlines() if line)
        return {words[0]: words[1] if len(words) > 1 else "" for words in split}

    def _login(self, offered: dict[str, str]) -> None:
        """One try by one way, since houses lock an account after a few."""
        settings = self._settings
        if settings.access_token:
            self._login_by_token()
            return
        if "PLAIN" not in offered.get("SASL", "").split():
            self._command(Phase.LOGIN, f"USER {settings.username}")
            self._command(Phase.LOGIN, f"PASS {settings.password}")
            return
        secret = f"\0{settings.username}\0{settings.password}".encode()
        response = base64.b64encode(secret).decode("ascii")
        if len(response) + len("AUTH PLAIN \r\n") <= _MAX_COMMAND:
            self._command(Phase.LOGIN, f"AUTH PLAIN {response}")
            return
        self._command(Phase.LOGIN, "AUTH PLAIN", continues=True)
        self._command(Phase.LOGIN, response)

    def _login_by_token(self) -> None:
        """In two steps, since a token is longer than a command may be. A refusal comes as a challenge first."""
        settings = self._settings
        self._command(Phase.LOGIN, f"AUTH {xoauth2.MECHANISM}", continues=True)
        response = xoauth2.response(settings.username, settings.access_token)
        challenge = self._command(Phase.LOGIN, response, continues=True)
        if challenge:
            why = xoauth2.complaint(challenge)
            try:
                self._command(Phase.LOGIN, "")
            except MaildropFailure as failure:
                if failure.is_open and why:
                    said = f"{failure.reply} ({why})".strip()
                    raise MaildropFailure(failure.phase, failure.kind, said, is_open=True) from None
                raise

    # --- the dialogue

    def _command(
        self, phase: Phase, line: str, *, seconds: float | None = None, continues: bool = False
    ) -> bytes:
        """The challenge that came instead of +OK, where one may (`continues`); else nothing."""
        timeout = self._settings.timeouts.command if seconds is None else seconds
        try:
            self._wire.send(line.encode("utf-8"), timeout)
        except WireFailure as failure:
            self.close()
            raise MaildropFailure(phase, failure.problem) from None
        return self._answer(phase, timeout, continues=continues)

    def _answer(self, phase: Phase, seconds: float, *, continues: bool = False) -> bytes:
        """Takes a status line. -ERR leaves the session open, all else that is not +OK closes it."""
        try:
            line = self._wire.line(seconds)
        except WireFailure as failure:
            self.close()
            raise MaildropFailure(phase, failure.problem) from None
        if line[:3] == b"+OK":
            return b""
        if continues and line[:1] == b"+":
            return line[1:].strip()
        if line[:4] == b"-ERR":
            said = readable(line[4:], self._settings)
            raise MaildropFailure(phase, refusal(said), said, is_open=True)
        self.close()
        raise MaildropFailure(phase, Problem.PROTOCOL, readable(line, self._settings))

    def _block(self, phase: Phase, max_octets: int) -> bytes:
        timeouts = self._settings.timeouts
        seconds = timeouts.message if phase is Phase.RETRIEVE else timeouts.listing
        try:
            return self._wire.block(seconds, max_octets)
        except WireFailure as failure:
            self.close()
            raise MaildropFailure(phase, failure.problem) from None


def _numbers(listing: bytes) -> dict[int, str]:
    """`number text` lines (RFC 1939, 5 and 7); others are left out."""
    found: dict[int, str] = {}
    for line in listing.decode("ascii", "replace").splitlines():
        number, _, rest = line.strip().partition(" ")
        if number.isdigit() and rest.strip() and len(number) < 10:
            found[int(number)] = rest.split()[0]
    return found

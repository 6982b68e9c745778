"""The sandbox's SMTP server (RFC 5321): aiosmtpd on a thread of its own, loopback alone.

It offers AUTH PLAIN and LOGIN, SIZE, 8BITMIME, SMTPUTF8, DSN (RFC 3461) and PIPELINING (RFC 2920:
aiosmtpd reads commands and content from one buffer and answers in order, so a client may send
ahead). `SandboxRules` decides; `SmtpServer` owns the loop, the thread and the connections.
"""

import asyncio
import logging
import socket
import threading

from aiosmtpd.smtp import SMTP, syntax

from .answers import MTA
from .rules import SandboxEnvelope, SandboxRules

MAX_CONNECTIONS = 200
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
IDLE_SECONDS = 300.0

# aiosmtpd warns at every AUTH of an attribute that only itself still sets.
logging.getLogger("mail.log").setLevel(logging.ERROR)


class SandboxSMTP(SMTP):
    """aiosmtpd's protocol, taught the parameters of DSN, which it refuses by itself."""

    def _create_envelope(self) -> SandboxEnvelope:
        return SandboxEnvelope()

    def _sandbox_envelope(self) -> SandboxEnvelope:
        if not isinstance(self.envelope, SandboxEnvelope):
            raise TypeError("_create_envelope makes every envelope of this protocol")
        return self.envelope

    @syntax("MAIL FROM: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_MAIL(self, arg: str | None) -> None:
        """Take RET and ENVID away before aiosmtpd sees them."""
        envelope = self._sandbox_envelope()
        fresh = envelope.mail_from is None
        arg, parameters = _without(arg, "RET", "ENVID")
        await super().smtp_MAIL(arg)
        if fresh and envelope.mail_from is not None:
            envelope.ret, envelope.envid = parameters.get("RET"), parameters.get("ENVID")

    @syntax("RCPT TO: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_RCPT(self, arg: str | None) -> None:
        """Take NOTIFY and ORCPT away before aiosmtpd sees them."""
        envelope = self._sandbox_envelope()
        known = len(envelope.rcpt_tos)
        arg, parameters = _without(arg, "NOTIFY", "ORCPT")
        await super().smtp_RCPT(arg)
        for recipient in envelope.rcpt_tos[known:]:
            envelope.notify[recipient] = parameters.get("NOTIFY", "").upper()
            if "ORCPT" in parameters:
                envelope.orcpt[recipient] = parameters["ORCPT"]


class SmtpServer:
    """The listening socket's owner. `start` returns once connections are answered."""

    def __init__(self, listener: socket.socket, rules: SandboxRules) -> None:
        self._listener = listener
        self._rules = rules
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sandbox-smtp", daemon=True)
        self._ready = threading.Event()
        self._connections: set[_Connection] = set()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Close every connection, write the outstanding answers, end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        serving = self._loop.create_server(self._connection, sock=self._listener, backlog=200)
        server = self._loop.run_until_complete(serving)
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()
        server.close()
        self._rules.answer_all_now()
        self._loop.run_until_complete(self._hang_up())
        self._loop.close()

    async def _hang_up(self) -> None:
        for connection in list(self._connections):
            if isinstance(connection.transport, asyncio.WriteTransport):
                connection.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # the transports' own goodbye

    def _connection(self) -> asyncio.Protocol:
        if len(self._connections) >= MAX_CONNECTIONS:
            return _Busy()
        return _Connection(self._connections, self._rules, self._loop)


class _Connection(SandboxSMTP):
    """One client, counted from its connection to its loss."""

    def __init__(
        self,
        connections: set["_Connection"],
        rules: SandboxRules,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(
            rules,
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            hostname=MTA,
            ident="ESMTP Hongyan sandbox",
            timeout=IDLE_SECONDS,
            auth_require_tls=False,  # there is no line to listen on: loopback alone
            authenticator=rules.authenticate,
            loop=loop,
        )
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)


class _Busy(asyncio.Protocol):
    """More connections than the sandbox serves."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(b"421 4.7.0 Too many connections\r\n")  # type: ignore[attr-defined]
        transport.close()


def _without(arg: str | None, *names: str) -> tuple[str | None, dict[str, str]]:
    """The argument of MAIL or RCPT without these parameters, and their values.

    Parameters are words after the last `>` (RFC 5321 4.1.1.2), so a quoted local part is safe.
    """
    path, bracket, tail = (arg or "").rpartition(">")
    if not bracket:
        return arg, {}
    taken, left = {}, []
    for word in tail.split():
        name, _, value = word.partition("=")
        if name.upper() in names:
            taken[name.upper()] = value
        else:
            left.append(word)
    return " ".join([path + bracket, *left]), taken

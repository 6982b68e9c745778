"""The SMTP client: one kept connection, one round trip per message (RFC 5321, RFC 2920).

    conn = Connection.open(settings)
    conn.start(first)                          # MAIL, RCPT, DATA
    while conn.go_ahead().ok:                  # may this message go?
        reply = conn.content(payload, then=following)   # body, dot and the next MAIL, RCPT, DATA
    conn.quit()

Between `go_ahead` and `content` the caller may commit that the message is about to leave; nothing of
it has been sent yet. If it must not leave after all, `abandon` closes the connection: a bare dot would
deliver an empty message.

`start_steps`, `go_ahead_steps`, `content_steps` and `quit_steps` are the same for a loop over several
connections: they say what they wait for (smtp_wire.py).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from campaigns.mailer.outbound import Resolver, resolve
from campaigns.mailer.reply import Phase, Reply
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.smtp_content import lines_are_clean, stuffed
from campaigns.mailer.smtp_dialogue import RSET, Dialogue, Stage
from campaigns.mailer.smtp_envelope import Capabilities, Envelope, commands
from campaigns.mailer.smtp_errors import ContentFailure, EnvelopeRefused, RelayFailure
from campaigns.mailer.smtp_session import Connector, Opening, connect_tcp
from campaigns.mailer.smtp_settings import RelaySettings
from campaigns.mailer.smtp_wire import RawReply, Steps, Wire, WireFailure

_DOT = b".\r\n"
_DATA = b"DATA\r\n"


@dataclass(frozen=True, slots=True)
class GoAhead:
    """Whether the content may follow; `refused` is the first reply that says no, and its phase."""

    ok: bool
    refused: tuple[Phase, Reply] | None = None


_OK = GoAhead(ok=True)


class Connection(Dialogue):
    """One connection to a relay. Not for use by two threads at once.

    Calls out of order raise RuntimeError. After any `RelayFailure`, or when `is_open` is False, only
    `quit` and `abandon` are allowed, and they do nothing.
    """

    def __init__(self, wire: Wire, capabilities: Capabilities, settings: RelaySettings) -> None:
        super().__init__(wire, settings.timeouts)
        self.capabilities = capabilities
        self._settings = settings
        self._rcpt = b""  # the RCPT line that a server without PIPELINING still has to get
        self._rset_due = False  # its RSET is out, the reply to it comes first
        self._then_failed: RelayFailure | EnvelopeRefused | None = None

    @classmethod
    def open(
        cls,
        settings: RelaySettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        resolver: Resolver = resolve,
        connector: Connector = connect_tcp,
    ) -> Self:
        """Connects, encrypts and logs in. Raises `RelayFailure`; leaves no socket open then."""
        opening = Opening(settings, clock)
        wire = opening.connect(resolver, connector)
        try:
            return cls(wire, opening.introduce(wire), settings)
        except BaseException:
            wire.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.quit()

    # --- the envelope

    def start(self, envelope: Envelope) -> None:
        """Sends the envelope; `go_ahead` reads the answers. Never waits for the server with PIPELINING.

        Raises `EnvelopeRefused`, with the connection ready for another, or `RelayFailure`.
        """
        self._wire.finish(self.start_steps(envelope))

    def start_steps(self, envelope: Envelope) -> Steps[None]:
        """As `start`."""
        self._require(Stage.READY)
        mail, rcpt = commands(envelope, self.capabilities, self._settings.max_octets)
        if self.capabilities.pipelining:
            yield from self._write(Phase.MAIL, self._pipelined(mail, rcpt))
        else:
            if self._needs_rset:
                yield from self._rset()
            yield from self._write(Phase.MAIL, mail)
            self._rcpt = rcpt
        self._stage = Stage.STARTED

    def _pipelined(self, mail: bytes, rcpt: bytes) -> bytes:
        reset, self._needs_rset = self._needs_rset, False
        self._rset_due = reset
        return (RSET if reset else b"") + mail + rcpt + _DATA

    def go_ahead(self) -> GoAhead:
        """Reads the answers to the started envelope.

        Not ok: the connection is ready for the next `start`, unless `is_open` says otherwise. Raises
        `RelayFailure` where no answer about this recipient came, and what starting `then` met.
        """
        return self._wire.finish(self.go_ahead_steps())

    def go_ahead_steps(self) -> Steps[GoAhead]:
        """As `go_ahead`."""
        if self._then_failed is not None:
            failure, self._then_failed = self._then_failed, None
            raise failure
        self._require(Stage.STARTED)
        if self._rset_due:
            self._rset_due = False
            yield from self._read_rset()
        return (yield from self._answers())

    def _answers(self) -> Steps[GoAhead]:
        refused: tuple[Phase, Reply] | None = None
        taken: set[Phase] = set()
        for phase in (Phase.MAIL, Phase.RCPT, Phase.DATA):
            try:
                code, lines = yield from self._answer(phase)
            except RelayFailure:
                if refused is None:
                    raise
                return GoAhead(ok=False, refused=refused)  # this much is known; the link is closed
            if code == 354 if phase is Phase.DATA else code < 300:
                taken.add(phase)
                continue
            refused = refused or (phase, Reply.parse(code, lines))
            if code == 421:
                self._close()
                break
            if not self.capabilities.pipelining:
                break
        if refused is None:
            self._stage = Stage.GOING
            return _OK
        yield from self._after_refusal(taken)
        return GoAhead(ok=False, refused=refused)

    def _answer(self, phase: Phase) -> Steps[RawReply]:
        """The reply to one command of the envelope, which goes out now if it could not before."""
        if not self.capabilities.pipelining:
            if phase is Phase.RCPT:
                yield from self._write(phase, self._rcpt)
            elif phase is Phase.DATA:
                yield from self._write(phase, _DATA)
        timeouts = self._timeouts
        seconds = timeouts.data_go_ahead if phase is Phase.DATA else timeouts.command
        return (yield from self._read(phase, seconds))

    def _after_refusal(self, taken: set[Phase]) -> Steps[None]:
        """Brings the connection back to where an envelope may start (RFC 2920 3.1)."""
        if self._stage is Stage.CLOSED:
            return
        self._stage = Stage.READY
        if Phase.DATA not in taken:
            self._needs_rset = Phase.MAIL in taken
        elif Phase.RCPT in taken:
            self._close()  # a dot would deliver an empty message to an accepted recipient
        else:
            yield from self._end_without_recipients()

    def _end_without_recipients(self) -> Steps[None]:
        """DATA was granted although every RCPT was refused: an empty content ends it."""
        try:
            yield from self._write(Phase.CONTENT, _DOT)
            code, _ = yield from self._read(Phase.CONTENT, self._timeouts.command)
        except RelayFailure:
            return  # closed; that the recipient was refused is known all the same
        if code == 421:
            self._close()

    # --- the content

    def content(self, payload: bytes, then: Envelope | None = None, *, armour: int = 0) -> Reply:
        """Sends the message and, behind its dot, the next envelope; returns the final reply.

        `payload` has CRLF line ends only; dots are stuffed here (RFC 5321 4.5.2). Its last `armour`
        octets are lines that have been encoded so that neither has to be looked for. What goes wrong
        with `then` is raised by the next `go_ahead`, never here. Raises `ContentFailure`.
        """
        return self._wire.finish(self.content_steps(payload, then, armour=armour))

    def content_steps(
        self, payload: bytes, then: Envelope | None = None, *, armour: int = 0
    ) -> Steps[Reply]:
        """As `content`."""
        self._require(Stage.GOING)
        plain = payload[: len(payload) - armour]
        if self._wire.has_input or not lines_are_clean(plain):
            reason = Reason.PROTOCOL if self._wire.has_input else Reason.MALFORMED
            self._close()
            raise ContentFailure(reason, in_doubt=False)
        following = self._behind_the_dot(then)
        body = stuffed(plain) + payload[len(plain) :]
        whole = yield from self._send_content(body, following)
        try:
            reply = Reply.parse(*(yield from self._wire.reply_steps(self._timeouts.final_dot)))
        except WireFailure as failure:
            self._close()
            raise ContentFailure(failure.reason, in_doubt=True) from None
        yield from self._settle(reply, then, started=bool(following), broken=not whole)
        return reply

    def _behind_the_dot(self, then: Envelope | None) -> bytes:
        if then is None or not self.capabilities.pipelining:
            return b""
        try:
            return self._pipelined(*commands(then, self.capabilities, self._settings.max_octets))
        except EnvelopeRefused as refused:
            self._then_failed = refused
            return b""

    def _send_content(self, body: bytes, following: bytes) -> Steps[bool]:
        """False where the link broke behind the dot: the reply to this message may still be there."""
        data = b"".join((body, _DOT, following))
        boundary = len(body) + len(_DOT)
        seconds = self._timeouts.write + len(data) / self._timeouts.min_rate
        try:
            return (yield from self._wire.write_steps(data, seconds, boundary)) == len(data)
        except WireFailure as failure:
            reply = self._wire.early_refusal()
            self._close()
            raise ContentFailure(failure.reason, in_doubt=False, reply=reply) from None

    def _settle(
        self, reply: Reply, then: Envelope | None, *, started: bool, broken: bool
    ) -> Steps[None]:
        """The stage after a final reply, and what became of `then`."""
        if broken or reply.code == 421 or 300 <= reply.code < 400:
            self._close()
            if then is not None and self._then_failed is None:
                closing = reply if reply.code == 421 else None
                kind = Reason.CLOSING if closing else Reason.LOST
                self._then_failed = RelayFailure(Phase.MAIL, kind, closing)
            return
        self._stage = Stage.STARTED if started else Stage.READY
        if then is not None and not started and self._then_failed is None:
            try:
                yield from self.start_steps(then)
            except (RelayFailure, EnvelopeRefused) as failure:
                self._then_failed = failure

"""An SMTP connection outside of transactions: its stage, NOOP, RSET, QUIT, and how it breaks (RFC 5321 4.1.1)."""

from enum import Enum, auto
from typing import NoReturn

from campaigns.mailer.reply import Phase, Reply
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.smtp_errors import RelayFailure
from campaigns.mailer.smtp_settings import Timeouts
from campaigns.mailer.smtp_wire import RawReply, Steps, Wire, WireFailure

RSET = b"RSET\r\n"


class Stage(Enum):
    """What may come next."""

    READY = auto()
    STARTED = auto()  # MAIL, RCPT, DATA (or the first of them) are out, replies are due
    GOING = auto()  # 354 was read: the server waits for content
    CLOSED = auto()


class Dialogue:
    """What `Connection` is built on. Every failure closes the wire before it is raised."""

    def __init__(self, wire: Wire, timeouts: Timeouts) -> None:
        self._wire = wire
        self._timeouts = timeouts
        self._stage = Stage.READY
        self._needs_rset = False  # a refused envelope left a transaction open

    def fileno(self) -> int:
        """The socket's, for a poll; -1 once it is closed."""
        return self._wire.fileno()

    @property
    def is_open(self) -> bool:
        """False once the server said 421, the link was lost, or we closed it."""
        return self._stage is not Stage.CLOSED

    def abandon(self) -> None:
        """Closes at once, without QUIT and without a dot: what was granted will not be delivered."""
        self._close()

    def quit(self) -> None:
        """Ends politely where no envelope is open, else like `abandon`. Never raises."""
        self._wire.finish(self.quit_steps())

    def quit_steps(self) -> Steps[None]:
        """As `quit`."""
        if self._stage is Stage.READY:
            try:
                yield from self._wire.write_steps(b"QUIT\r\n", self._timeouts.quit)
                yield from self._wire.reply_steps(self._timeouts.quit)
            except WireFailure:
                pass
        self._close()

    def _rset(self) -> Steps[Reply]:
        self._require(Stage.READY)
        yield from self._write(Phase.MAIL, RSET)
        self._needs_rset = False
        return (yield from self._read_rset())

    def _read_rset(self) -> Steps[Reply]:
        reply = Reply.parse(*(yield from self._read(Phase.MAIL, self._timeouts.command)))
        if reply.code >= 300:
            self._close()
            kind = Reason.CLOSING if reply.code == 421 else Reason.PROTOCOL
            raise RelayFailure(Phase.MAIL, kind, reply)
        return reply

    def _write(self, phase: Phase, octets: bytes) -> Steps[None]:
        try:
            yield from self._wire.write_steps(octets, self._timeouts.write)
        except WireFailure as failure:
            self._fail(phase, failure)

    def _read(self, phase: Phase, seconds: float) -> Steps[RawReply]:
        try:
            return (yield from self._wire.reply_steps(seconds))
        except WireFailure as failure:
            self._fail(phase, failure)

    def _fail(self, phase: Phase, failure: WireFailure) -> NoReturn:
        # A server that hangs up often says why first (421 before closing).
        reply = self._wire.early_refusal() if failure.reason is Reason.LOST else None
        self._close()
        raise RelayFailure(phase, failure.reason, reply) from None

    def _require(self, stage: Stage) -> None:
        if self._stage is not stage:
            raise RuntimeError(f"connection is {self._stage.name}, not {stage.name}")

    def _close(self) -> None:
        self._stage = Stage.CLOSED
        self._wire.close()

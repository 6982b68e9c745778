"""Octets in and out of one SMTP connection: replies framed, everything under a deadline.

The socket is non-blocking and every wait is a poll with what is left of the deadline, so a server
that sends one octet every ten seconds cannot outlast it. While writing we also read: a server that
answers before it has read everything would otherwise block us, and we it.

What may have to wait is written once, as steps: a generator that says what it waits for. `finish`
goes through them and waits; a loop over many wires goes on with each when its socket is ready.
"""

import select
import socket
import ssl
from collections.abc import Callable, Generator
from typing import TypeVar

from campaigns.mailer.reply import Reply
from campaigns.mailer.reply_reasons import Reason

#: Octets of a whole reply; beyond it the server is hostile or broken.
MAX_REPLY = 64 * 1024
#: Octets kept of one line; RFC 5321 4.5.3.1.5 says 512.
MAX_LINE = 4 * 1024
_CHUNK = 64 * 1024
_TLS_RECORD = 16 * 1024
_READ = select.POLLIN
_READ_OR_WRITE = select.POLLIN | select.POLLOUT

T = TypeVar("T")
RawReply = tuple[int, list[bytes]]
#: What is waited for: events as of `select.poll`, and until when by the wire's clock.
Wait = tuple[int, float]
#: They are sent the events that came, 0 when the time is over. They return T or raise `WireFailure`.
Steps = Generator[Wait, int, T]


class WireFailure(Exception):
    """The wire cannot be used any more: timed out, lost, flooded or not SMTP."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(str(reason))


class Wire:
    """One connected socket, plain or TLS. `clock` is monotonic seconds."""

    def __init__(self, sock: socket.socket, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._attach(sock)

    def _attach(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._tls = sock if isinstance(sock, ssl.SSLSocket) else None
        self._poll = select.poll()
        self._poll.register(sock, _READ)
        self._received = b""

    def upgrade(self, wrap: Callable[[socket.socket], socket.socket]) -> None:
        """STARTTLS (RFC 3207). What came before the handshake is an injection and ends the wire."""
        if self._received:
            self.close()
            raise WireFailure(Reason.TLS_INJECTION)
        self._attach(wrap(self.sock))

    def close(self) -> None:
        """Closes the socket; may be called twice."""
        self.sock.close()

    def fileno(self) -> int:
        """The socket's, for a poll; -1 once it is closed."""
        return self.sock.fileno()

    def finish(self, steps: Steps[T]) -> T:
        """Goes through the steps and waits wherever they do."""
        try:
            wait = next(steps)
            while True:
                wait = steps.send(self._poll_for(*wait))
        except StopIteration as end:
            result: T = end.value
            return result

    def _poll_for(self, events: int, deadline: float) -> int:
        """Waits for the events; returns those that came, or 0 at the deadline."""
        if events != _READ:
            self._poll.modify(self.sock, events)
        try:
            ready = self._poll.poll(max(0.0, deadline - self.clock()) * 1000)
        finally:
            if events != _READ:
                self._poll.modify(self.sock, _READ)
        return ready[0][1] if ready else 0

    @property
    def has_input(self) -> bool:
        """Whether something was received that nobody has read yet."""
        return bool(self._received)

    # --- reading

    def read_reply(self, seconds: float) -> RawReply:
        """Code and the text of each line. Raises `WireFailure`; waits `seconds` at most in all."""
        return self.finish(self.reply_steps(seconds))

    def reply_steps(self, seconds: float) -> Steps[RawReply]:
        """As `read_reply`."""
        deadline = self.clock() + seconds
        code, last, text = self._split((yield from self._line(deadline)))
        lines = [text[:MAX_LINE]]
        total = len(text)
        while not last:
            line_code, last, text = self._split((yield from self._line(deadline)))
            total += len(text) + 6
            if line_code != code:
                raise WireFailure(Reason.PROTOCOL)
            if total > MAX_REPLY:
                raise WireFailure(Reason.FLOODED)
            lines.append(text[:MAX_LINE])
        return code, lines

    @staticmethod
    def _split(line: bytes) -> tuple[int, bool, bytes]:
        digits, separator = line[:3], line[3:4]
        if not digits.isdigit() or not b"200" <= digits <= b"599" or separator not in b" -":
            raise WireFailure(Reason.PROTOCOL)
        return int(digits), separator != b"-", line[4:]

    def _line(self, deadline: float) -> Steps[bytes]:
        """One line without its end; a bare LF ends it too, since some relays send it."""
        while True:
            line, found, rest = self._received.partition(b"\n")
            if found:
                self._received = rest
                return line.removesuffix(b"\r")
            if len(line) > MAX_REPLY:
                raise WireFailure(Reason.FLOODED)
            if (self._tls is None or not self._tls.pending()) and not (yield _READ, deadline):
                raise WireFailure(Reason.TIMED_OUT)
            self._take()

    def _take(self) -> bool:
        """Takes what is there now; False if nothing is."""
        try:
            octets = self.sock.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            raise WireFailure(Reason.LOST) from error
        if not octets:
            raise WireFailure(Reason.LOST)
        self._received += octets
        return True

    # --- writing

    def write(self, data: bytes, seconds: float, boundary: int = 0) -> int:
        """Writes all of `data` within `seconds`.

        `boundary` is an offset after which the caller is committed (the end of the final dot).
        Returns how much the kernel took: less than all of it only where `boundary` was passed and
        the wire failed then. Raises `WireFailure` where `boundary` was not passed.
        """
        return self.finish(self.write_steps(data, seconds, boundary))

    def write_steps(self, data: bytes, seconds: float, boundary: int = 0) -> Steps[int]:
        """As `write`."""
        deadline = self.clock() + seconds
        view = memoryview(data)
        done = 0
        try:
            while done < len(data):
                # A TLS record that was begun may arrive whole although we only see an error, so with
                # TLS the boundary counts as passed once the record that holds it was handed over.
                end = min(done + _TLS_RECORD, len(data)) if self._tls else len(data)
                committed = end if self._tls else done
                done += yield from self._send(view[done:end], deadline)
        except WireFailure:
            if boundary and committed >= boundary:
                return committed
            raise
        return done

    def _send(self, octets: memoryview, deadline: float) -> Steps[int]:
        while True:
            try:
                return self.sock.send(octets)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                came = yield _READ_OR_WRITE, deadline
            except OSError as error:
                raise WireFailure(Reason.LOST) from error
            if not came:
                raise WireFailure(Reason.TIMED_OUT)
            if came & _READ:
                if len(self._received) > MAX_REPLY:
                    raise WireFailure(Reason.FLOODED)
                self._take()

    def early_refusal(self) -> Reply | None:
        """A 4yz or 5yz reply that is already here after a failure, without waiting; else None."""
        try:
            while len(self._received) <= MAX_REPLY and self._take():
                pass
        except WireFailure:
            pass  # the end of the stream: what came before it still counts
        if b"\n" not in self._received:
            return None
        try:
            reply = Reply.parse(*self.read_reply(0.0))
        except WireFailure:
            return None
        return reply if reply.code >= 400 else None

"""Octets in and out of one POP3 connection (RFC 1939, 3): lines, multi-line replies, deadlines.

Every wait is given what is left of its deadline, so that a server which sends one octet every ten
seconds cannot outlast it.
"""

import socket
from collections.abc import Callable

from campaigns.mailer.pop3_errors import Problem

#: Octets of a status line; RFC 2449 says 512.
MAX_LINE = 4 * 1024
#: Octets of a listing: some 50,000 messages.
MAX_LISTING = 4 * 1024 * 1024
_CHUNK = 64 * 1024
_END = b"\r\n.\r\n"


class WireFailure(Exception):
    """The connection cannot be used any more."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


class PopWire:
    """One connected socket, plain or TLS. `clock` is monotonic seconds; `deadline` ends the session."""

    max_line = MAX_LINE
    #: Whether octets that nobody asked for are part of the protocol, or end the wire.
    speaks_unasked = False

    def __init__(self, sock: socket.socket, clock: Callable[[], float], deadline: float) -> None:
        self._sock = sock
        self._clock = clock
        self._deadline = deadline
        self._received = bytearray()

    def upgrade(self, wrap: Callable[[socket.socket], socket.socket]) -> None:
        """STLS (RFC 2595, 4). What came before the handshake is an injection and ends the wire."""
        if self._received:
            raise WireFailure(Problem.TLS_INJECTION)
        self._sock = wrap(self._sock)

    def close(self) -> None:
        """Closes the socket; may be called twice."""
        self._sock.close()

    def left(self, seconds: float) -> float:
        """`seconds`, or what is left of the session if that is less. Raises `WireFailure` at its end."""
        left = min(seconds, self._deadline - self._clock())
        if left <= 0:
            raise WireFailure(Problem.TIMED_OUT)
        return left

    def send(self, line: bytes, seconds: float) -> None:
        """One command line without its CRLF. Octets nobody asked for before it end the wire."""
        if self._received and not self.speaks_unasked:
            raise WireFailure(Problem.PROTOCOL)
        try:
            self._sock.settimeout(self.left(seconds))
            self._sock.sendall(line + b"\r\n")
        except TimeoutError as error:
            raise WireFailure(Problem.TIMED_OUT) from error
        except OSError as error:
            raise WireFailure(Problem.LOST) from error

    def line(self, seconds: float) -> bytes:
        """One line without its end; a bare LF ends it too. Raises `WireFailure`."""
        end = self._clock() + self.left(seconds)
        searched = 0
        while (at := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            if searched > self.max_line:
                raise WireFailure(Problem.FLOODED)
            self._receive(end)
        line = bytes(self._received[:at])
        del self._received[: at + 1]
        return line.removesuffix(b"\r")

    def block(self, seconds: float, max_octets: int) -> bytes:
        """The octets of a multi-line reply after its first line, dots unstuffed, the last CRLF kept.

        Raises `WireFailure`: FLOODED where the server sends more than `max_octets`.
        """
        end = self._clock() + self.left(seconds)
        # The reply's first line ended with CRLF, which also ends the line before a first dot.
        self._received[:0] = b"\r\n"
        searched = 0
        while (at := self._received.find(_END, searched)) < 0:
            searched = max(0, len(self._received) - len(_END) + 1)
            if len(self._received) > max_octets + len(_END) + 2:
                raise WireFailure(Problem.FLOODED)
            self._receive(end)
        block = bytes(self._received[: at + 2])
        del self._received[: at + len(_END)]
        return block.replace(b"\r\n..", b"\r\n.")[2:]

    def _receive(self, end: float) -> None:
        left = min(end, self._deadline) - self._clock()
        if left <= 0:
            raise WireFailure(Problem.TIMED_OUT)
        try:
            self._sock.settimeout(left)
            octets = self._sock.recv(_CHUNK)
        except TimeoutError as error:
            raise WireFailure(Problem.TIMED_OUT) from error
        except OSError as error:
            raise WireFailure(Problem.LOST) from error
        if not octets:
            raise WireFailure(Problem.LOST)
        self._received += octets

"""Octets in and out of one IMAP connection (RFC 9051, 2.2): responses with their literals, within limits."""

import re
from dataclasses import dataclass

from campaigns.mailer.pop3_errors import Problem
from campaigns.mailer.pop3_wire import PopWire, WireFailure

#: How a line says that a literal follows: `{12}`, in IMAP4rev2 also `~{12}` and, of some servers, `{12+}`.
_LITERAL = re.compile(rb"~?\{(\d{1,10})\+?\}\Z")
#: What stands in `Response.text` where a literal was; no server may send NUL outside of literals.
PLACE = b"\0"


@dataclass(frozen=True, slots=True)
class Response:
    """One response: its line with `PLACE` for each literal, and the literals in their order."""

    text: bytes
    literals: tuple[bytes, ...] = ()


class ImapWire(PopWire):
    """Reads whole responses. A server may speak without being asked, so nothing is an intrusion here."""

    max_line = 256 * 1024
    speaks_unasked = True

    def response(self, seconds: float, max_octets: int) -> Response:
        """The next response. Raises `WireFailure`: FLOODED where it has more than `max_octets`."""
        end = self._clock() + self.left(seconds)
        line, total = b"", 0
        literals: list[bytes] = []
        while True:
            line += self.line(max(0.001, end - self._clock())).replace(PLACE, b"")
            follows = _LITERAL.search(line)
            total += len(line) + (int(follows[1]) if follows else 0)
            if total > max_octets:
                raise WireFailure(Problem.FLOODED)
            if follows is None:
                return Response(line, tuple(literals))
            literals.append(self._exactly(int(follows[1]), end))
            # The parts of one line are counted, so that it cannot go on for ever.
            line = line[: follows.start()] + PLACE

    def _exactly(self, octets: int, end: float) -> bytes:
        while len(self._received) < octets:
            self._receive(end)
        found = bytes(self._received[:octets])
        del self._received[:octets]
        return found

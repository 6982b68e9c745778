"""The dialogue of an IMAP session: tagged commands, their responses, capabilities, STARTTLS (RFC 9051, 2 and 6)."""

import re

from campaigns.mailer.imap_settings import ImapSettings
from campaigns.mailer.imap_wire import ImapWire, Response
from campaigns.mailer.maildrop import ask_for_tls, encrypt, readable
from campaigns.mailer.pop3_errors import MaildropFailure, Phase, Problem, refusal
from campaigns.mailer.pop3_wire import WireFailure

#: Octets of all responses to one command; of a listing: some 150,000 messages.
MAX_SAID = 256 * 1024
MAX_LISTING = 8 * 1024 * 1024
_CAPABILITIES = re.compile(rb"(?:\* |\[)CAPABILITY ([^\]]*)", re.IGNORECASE)


class Talk:
    """One connection. Every method raises `MaildropFailure`; unless its `is_open` says otherwise the
    connection is then closed."""

    def __init__(self, settings: ImapSettings, wire: ImapWire) -> None:
        self.settings = settings
        self._wire = wire
        self._number = 0
        self._capabilities: frozenset[str] | None = None

    def close(self) -> None:
        self._wire.close()

    # --- the beginning

    def greet(self) -> None:
        """OK or PREAUTH; a BYE is a refusal."""
        first = self._response(Phase.GREETING, self.settings.timeouts.greeting, MAX_SAID)
        said = first.text.upper()
        if said.startswith(b"* BYE"):
            raise self._failed(Phase.GREETING, first.text[5:])
        if not said.startswith((b"* OK", b"* PREAUTH")):
            self.close()
            raise MaildropFailure(
                Phase.GREETING, Problem.PROTOCOL, readable(first.text, self.settings)
            )

    def start_tls(self) -> None:
        ask_for_tls(lambda: self.command(Phase.STLS, "STARTTLS"))
        self.encrypt(Phase.STLS)

    def encrypt(self, phase: Phase) -> None:
        """What was said before TLS doesn't count (RFC 9051, 6.2.1)."""
        encrypt(self._wire, self.settings, phase)
        self.forget_capabilities()

    def forget_capabilities(self) -> None:
        """They change with TLS and with the login."""
        self._capabilities = None

    def offers(self, *names: str) -> bool:
        """Whether the server has any of these capabilities (in capitals)."""
        if self._capabilities is None:
            said = self.command(Phase.GREETING, "CAPABILITY")
            found = (_CAPABILITIES.search(response.text) for response in said)
            words = b" ".join(match[1] for match in found if match).decode("ascii", "replace")
            self._capabilities = frozenset(words.upper().split())
        return any(name in self._capabilities for name in names)

    # --- commands

    def command(self, phase: Phase, line: str, *, max_octets: int = MAX_SAID) -> list[Response]:
        """The untagged responses to a command that went well. A NO or BAD leaves the session open."""
        return self._until_tagged(phase, self.begin(phase, line), max_octets)

    def begin(self, phase: Phase, line: str) -> bytes:
        """Sends a command and returns its tag."""
        self._number += 1
        tag = f"h{self._number}"
        self.say(phase, f"{tag} {line}")
        return tag.encode()

    def say(self, phase: Phase, line: str) -> None:
        """A line that is no command: the rest of one."""
        try:
            self._wire.send(line.encode("utf-8"), self._seconds(phase))
        except WireFailure as failure:
            self.close()
            raise MaildropFailure(phase, failure.problem) from None

    def continued(self, phase: Phase, tag: bytes) -> bytes | None:
        """The challenge after `+`; None where the command ended well without one."""
        found = self._until_tagged(phase, tag, MAX_SAID, continues=True)
        return found[-1].text[1:].strip() if found and found[-1].text[:1] == b"+" else None

    def end(self, phase: Phase, tag: bytes) -> None:
        """Waits for the end of a command that was begun."""
        self._until_tagged(phase, tag, MAX_SAID)

    def log_out(self) -> None:
        """What was removed is removed: how the server says goodbye makes no difference."""
        try:
            self._wire.send(f"h{self._number + 1} LOGOUT".encode(), self.settings.timeouts.quit)
            self._wire.response(self.settings.timeouts.quit, MAX_SAID)
        except WireFailure:
            return

    def _until_tagged(
        self, phase: Phase, tag: bytes, max_octets: int, *, continues: bool = False
    ) -> list[Response]:
        found: list[Response] = []
        left = max_octets
        while True:
            response = self._response(phase, self._seconds(phase), left)
            left -= len(response.text) + sum(map(len, response.literals)) + 2
            said = response.text
            if said.startswith(tag + b" "):
                return self._ended(phase, said[len(tag) + 1 :], found, response)
            if said[:1] == b"+":
                if continues:
                    return [*found, response]
                raise self._failed(phase, b"", Problem.PROTOCOL)
            if said[:5].upper() == b"* BYE":
                raise self._failed(phase, said[5:])
            if said[:2] != b"* ":
                raise self._failed(phase, said, Problem.PROTOCOL)
            found.append(response)

    def _ended(
        self, phase: Phase, said: bytes, found: list[Response], last: Response
    ) -> list[Response]:
        word, _, rest = said.partition(b" ")
        if word.upper() == b"OK":
            return [*found, last]
        if word.upper() in (b"NO", b"BAD"):
            text = readable(rest, self.settings)
            raise MaildropFailure(phase, refusal(text), text, is_open=True)
        raise self._failed(phase, said, Problem.PROTOCOL)

    def _failed(self, phase: Phase, said: bytes, kind: Problem | None = None) -> MaildropFailure:
        """Closes the connection; what the server said may tell why."""
        self.close()
        text = readable(said, self.settings)
        known = refusal(text)
        told = Problem.LOST if known is Problem.REFUSED else known
        return MaildropFailure(phase, kind or told, text)

    def _response(self, phase: Phase, seconds: float, max_octets: int) -> Response:
        try:
            return self._wire.response(seconds, max_octets)
        except WireFailure as failure:
            self.close()
            raise MaildropFailure(phase, failure.problem) from None

    def _seconds(self, phase: Phase) -> float:
        timeouts = self.settings.timeouts
        by_phase = {Phase.LIST: timeouts.listing, Phase.RETRIEVE: timeouts.message}
        return by_phase.get(phase, timeouts.command)

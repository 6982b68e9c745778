"""The login of an SMTP connection: PLAIN, LOGIN or XOAUTH2, one try by one way (RFC 4954, RFC 4616)."""

import base64
from collections.abc import Callable
from dataclasses import replace

from campaigns.mailer import xoauth2
from campaigns.mailer.reply import Phase, Reply
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.smtp_envelope import Capabilities
from campaigns.mailer.smtp_errors import RelayFailure
from campaigns.mailer.smtp_settings import RelaySettings
from campaigns.mailer.smtp_wire import RawReply

#: Octets of a command line, CRLF included (RFC 5321 4.5.3.1.4).
_MAX_COMMAND = 512

#: Sends one line and returns the reply to it. Raises `RelayFailure`.
Ask = Callable[[str], RawReply]


class Login:
    """One login. Whatever the server repeats of it is taken out of its reply, which is stored and shown."""

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings
        self._secrets: list[str] = []

    def run(self, offered: Capabilities, ask: Ask) -> None:
        """Raises `RelayFailure` where the server does not let us in."""
        steps = self._steps(offered)
        for number, step in enumerate(steps, start=1):
            code, lines = ask(step)
            if code == 235:
                return
            if code == 334 and number < len(steps):
                continue
            raise self._refused(code, lines, ask)

    def _steps(self, offered: Capabilities) -> list[str]:
        settings = self._settings
        if settings.access_token:
            if xoauth2.MECHANISM not in offered.auth:
                raise RelayFailure(Phase.AUTH, Reason.AUTH_UNAVAILABLE)
            self._secrets = [xoauth2.response(settings.username, settings.access_token)]
            return _in_one_line(xoauth2.MECHANISM, self._secrets[0])
        if "PLAIN" in offered.auth:
            self._secrets = [_base64(f"\0{settings.username}\0{settings.password}")]
            return _in_one_line("PLAIN", self._secrets[0])
        if "LOGIN" in offered.auth:
            self._secrets = [_base64(settings.username), _base64(settings.password)]
            return ["AUTH LOGIN", *self._secrets]
        raise RelayFailure(Phase.AUTH, Reason.AUTH_UNAVAILABLE)

    def _refused(self, code: int, lines: list[bytes], ask: Ask) -> RelayFailure:
        why = ""
        if code == 334 and self._settings.access_token:
            # The reason comes as a challenge; an empty answer asks for the reply itself.
            why = xoauth2.complaint(lines[0] if lines else b"")
            code, lines = ask("")
        reply = Reply.parse(code, lines)
        if why:
            reply = replace(reply, text=f"{reply.text} ({why})".strip())
        locked = 400 <= code < 500
        kind = Reason.AUTH_LOCKED if locked else Reason.AUTH_REFUSED
        return RelayFailure(Phase.AUTH, kind, self._redacted(reply))

    def _redacted(self, reply: Reply) -> Reply:
        text = reply.text
        for secret in (*self._secrets, self._settings.password, self._settings.access_token):
            text = text.replace(secret, "***") if secret else text
        # Truncation or case folding by the server would leave a secret's beginning behind.
        long = [secret for secret in self._secrets if len(secret) > 11]
        if any(secret[:12].casefold() in text.casefold() for secret in long):
            text = "***"
        return replace(reply, text=text)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _in_one_line(mechanism: str, secret: str) -> list[str]:
    """RFC 4954 4: an initial response that would make the line too long follows a 334."""
    together = f"AUTH {mechanism} {secret}"
    return [together] if len(together) + 2 <= _MAX_COMMAND else [f"AUTH {mechanism}", secret]

"""What the sandbox's SMTP server decides for each address, as aiosmtpd's handler.

`refuse-` and `defer-` are answered at RCPT, `stall-` at the final dot, `bounce-` and `away-` a
little after acceptance. Everything runs on the server's loop, so nothing here needs a lock.
"""

import asyncio
import functools
import hmac
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from .answers import Answerable, automatic_reply, non_delivery_report
from .behaviour import Behaviour, Greylist, behaviour_of
from .store import NULL_RETURN_PATH, MailStore

MAX_RECIPIENTS = 100

logger = logging.getLogger(__name__)


class SandboxEnvelope(Envelope):
    """An envelope with what RFC 3461 adds to it."""

    def __init__(self) -> None:
        super().__init__()
        self.ret: str | None = None
        self.envid: str | None = None
        self.notify: dict[str, str] = {}
        self.orcpt: dict[str, str] = {}

    @property
    def return_path(self) -> str:
        """MAIL FROM without aiosmtpd's brackets around nothing."""
        return self.mail_from if self.mail_from not in (None, "<>") else NULL_RETURN_PATH

    @property
    def headers_only(self) -> bool:
        """Whether a report may not bring the content back."""
        return (self.ret or "").upper() == "HDRS"


class SandboxRules:
    """aiosmtpd's handler: what the contract says for each address. Runs on the server's loop."""

    def __init__(
        self, store: MailStore, *, username: str, password: str, answer_after: float
    ) -> None:
        self.store = store
        self._login = LoginPassword(username.encode(), password.encode())
        self._answer_after = answer_after
        self._greylist = Greylist()
        self._unanswered: dict[object, Callable[[], None]] = {}

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any
    ) -> AuthResult:
        """Called by aiosmtpd for PLAIN and LOGIN; compares in constant time."""
        right = hmac.compare_digest(given.login, self._login.login)
        right &= hmac.compare_digest(given.password, self._login.password)
        return AuthResult(success=right, handled=False, auth_data=given)

    async def handle_EHLO(
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Add what aiosmtpd does not know that it can do."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-DSN", responses[-1]]

    async def handle_MAIL(
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only after AUTH."""
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(
        self,
        _server: SMTP,
        _session: Session,
        envelope: SandboxEnvelope,
        address: str,
        _options: Any,
    ) -> str:
        """`refuse-` and `defer-` are answered here, before any content."""
        behaviour = behaviour_of(address)
        if behaviour is Behaviour.REFUSE:
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        first_try = functools.partial(self._greylist.is_first_try, envelope.return_path, address)
        if behaviour is Behaviour.DEFER and first_try():
            return f"451 4.7.1 <{address}>: Recipient address rejected: Greylisted, try again"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: SandboxEnvelope) -> str:
        """Keep the message, then plan the answers to it; for `stall-` neither."""
        behaviours = {address: behaviour_of(address) for address in envelope.rcpt_tos}
        if Behaviour.STALL in behaviours.values():
            await asyncio.Event().wait()  # until the client gives up and the task is cancelled
        raw, return_path = envelope.original_content or b"", envelope.return_path
        user = session.auth_data.login.decode("utf-8", "replace") if session.auth_data else None
        try:
            message = self.store.add(
                raw, mail_from=return_path, rcpt_to=envelope.rcpt_tos, user=user
            )
        except OSError:
            logger.exception("the sandbox could not keep a message")
            return "452 4.3.1 Insufficient system storage"
        original = Answerable(
            raw=raw,
            mail_from=return_path,
            arrived=message.at,
            headers_only=envelope.headers_only,
            envelope_id=envelope.envid,
            original_recipients=envelope.orcpt,
        )
        for address, behaviour in behaviours.items():
            self._after_acceptance(original, address, behaviour, envelope)
        return f"250 2.0.0 Ok: queued as {message.seq:08d}"

    def answer_all_now(self) -> None:
        """At the end of the server: what was promised for later is not lost."""
        for key in list(self._unanswered):
            self._unanswered.pop(key)()

    def _after_acceptance(
        self, original: Answerable, address: str, behaviour: Behaviour, envelope: SandboxEnvelope
    ) -> None:
        if behaviour is Behaviour.DEFER:
            self._greylist.accepted(envelope.return_path, address)
        if original.mail_from == NULL_RETURN_PATH:
            return  # RFC 5321 4.5.5: nothing is ever sent back to the null return path
        # RFC 3461 4.1: NEVER, or a list without FAILURE, asks for no report.
        wanted = envelope.notify.get(address, "")
        if behaviour is Behaviour.BOUNCE and (not wanted or "FAILURE" in wanted.split(",")):
            self._later(non_delivery_report, original, address)
        elif behaviour is Behaviour.AWAY:
            self._later(automatic_reply, original, address)

    def _later(self, write: Callable[..., bytes], original: Answerable, address: str) -> None:
        key = object()
        self._unanswered[key] = functools.partial(self._answer, write, original, address)
        loop = asyncio.get_running_loop()
        loop.call_later(self._answer_after, self._answer_one, key)

    def _answer_one(self, key: object) -> None:
        answer = self._unanswered.pop(key, None)
        if answer is not None:
            answer()

    def _answer(self, write: Callable[..., bytes], original: Answerable, address: str) -> None:
        try:
            raw = write(original, address, at=datetime.now(UTC))
            self.store.add(
                raw, mail_from=NULL_RETURN_PATH, rcpt_to=[original.mail_from], returned=True
            )
        except OSError:
            logger.exception("the sandbox could not keep an answer")

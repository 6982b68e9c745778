"""SMTP replies and what they mean for a delivery (RFC 5321 4.2, RFC 3463, RFC 2034).

`classify` is the one place that turns a reply, or the loss of the connection, into an outcome. It is
a pure function of phase, reply and rules; `reply_rules.RULES` is the shipped data.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Self

from campaigns.mailer.reply_reasons import NEEDS_PERSON, Reason
from campaigns.mailer.reply_recipient import DEAD, reason_of_deferral, reason_of_refusal, spoken

#: Characters of server text that are kept.
MAX_TEXT = 1000

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
# Controls, line separators and the invisible or direction-changing signs that could make a stored
# reply read as something else on a page or in a log.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+"
)


class Phase(StrEnum):
    """How far an SMTP transaction had come. `content` is the body and its final dot."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"
    QUIT = "quit"


class Outcome(StrEnum):
    """The state that an attempt leaves its delivery in."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


class Scope(StrEnum):
    """Whom a reply concerns: this recipient, or everything that would go the same way."""

    RECIPIENT = "recipient"
    RELAY = "relay"
    DOMAIN = "domain"
    CONTENT = "content"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply: code, enhanced status (or None) and text, safe to store and to show escaped."""

    code: int
    enhanced: str | None
    text: str

    @classmethod
    def parse(cls, code: int, lines: Sequence[bytes]) -> Self:
        """From the lines after code and separator. Never raises, whatever the bytes are."""
        enhanced: str | None = None
        parts: list[str] = []
        for line in lines:
            if sum(map(len, parts)) > MAX_TEXT:
                break
            text = _UNSAFE.sub(" ", _decode(line[: 4 * MAX_TEXT])).strip()
            if found := _ENHANCED.match(text):
                enhanced = enhanced or found[1]
                if found[1] == enhanced:  # RFC 2034 repeats it on each line
                    text = text[found.end() :]
            parts.append(text)
        return cls(code, enhanced, " ".join(filter(None, parts))[:MAX_TEXT])

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced, self.text)))


def _decode(line: bytes) -> str:
    for charset in ("utf-8", "gb18030"):  # Chinese relays answer in either
        try:
            return line.decode(charset)
        except UnicodeDecodeError:
            continue
    return line.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class LinkFailure:
    """No reply came. `dot_sent`: the buffer that holds the final dot had been handed to the kernel."""

    reason: Reason
    dot_sent: bool = False


@dataclass(frozen=True, slots=True)
class ReplyRule:
    """A reply that means something else than its code says.

    Matches when the code is one of `codes` (any if empty), the enhanced status is one of `enhanced`
    (any if empty; "4.7." stands for all that begin so), the phase is one of `phases` (any if empty)
    and the text holds all `words` in this order, compared without case. Plain words, no regular
    expressions: administrators edit these, and no pattern of theirs must be able to hang a worker.

    `key` names it among all rules of a relay; `sentence` is what its maker says of it (shipped: "").
    """

    meaning: Reason
    scope: Scope
    park_for: timedelta | None = None
    words: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()
    enhanced: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()
    outcome: Outcome = Outcome.DEFERRED
    key: str = ""
    sentence: str = ""

    def matches(self, phase: Phase, reply: Reply) -> bool:
        """Whether this rule speaks about that reply."""
        return self.matches_spoken(phase, reply, spoken(reply.text))

    def matches_spoken(self, phase: Phase, reply: Reply, text: str) -> bool:
        """The same for whoever has taken the server's own words (`spoken`) out of the reply before."""
        if self.codes and reply.code not in self.codes:
            return False
        if self.enhanced and not self._speaks_of(reply.enhanced or ""):
            return False
        if self.phases and phase not in self.phases:
            return False
        at = 0
        for word in self.words:
            found = text.find(word.casefold(), at)
            if found < 0:
                return False
            at = found + len(word)
        return True

    def _speaks_of(self, status: str) -> bool:
        return any(
            status == one or (one.endswith(".") and status.startswith(one)) for one in self.enhanced
        )

    @property
    def sign(self) -> str:
        """What one recognises the reply by: `MI:SFQ`, `432`, `4.7.28`."""
        words = "…".join(self.words)
        return words or " ".join((*map(str, self.codes), *self.enhanced))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about one attempt.

    `park_for` parks what `scope` names (None: nothing is parked); `permanent_address` says that the
    address itself is dead and belongs on the suppression list. `rule` is the key of the rule that said
    so, "" where the code did.
    """

    outcome: Outcome
    scope: Scope
    reason: Reason
    park_for: timedelta | None = None
    permanent_address: bool = False
    rule: str = field(default="", compare=False)

    @property
    def counts_as_attempt(self) -> bool:
        """Whether it uses up one of the recipient's tries; trouble of relay or connection doesn't."""
        return self.scope not in (Scope.RELAY, Scope.CONNECTION)


_MINUTE = timedelta(minutes=1)
_SESSION = frozenset({Phase.CONNECT, Phase.GREETING, Phase.EHLO, Phase.STARTTLS, Phase.QUIT})
_OUR_ORDER = frozenset({500, 502, 503})  # the server lost track of the dialogue


def classify(phase: Phase, cause: Reply | LinkFailure, rules: Sequence[ReplyRule]) -> Verdict:
    """What `cause`, met in `phase`, means for the delivery. The first matching rule wins.

    A link lost before the final dot left is deferred, after it in doubt (`design.md`); a reply that
    concerns the relay, the sender or the login never refuses a recipient.
    """
    if isinstance(cause, LinkFailure):
        return _of_failure(cause)
    if phase is Phase.CONTENT and cause.code < 400:
        return _of_positive(cause)
    if cause.code < 400:  # a positive reply where another kind was due
        return Verdict(Outcome.DEFERRED, Scope.CONNECTION, Reason.PROTOCOL, _MINUTE)
    if rule := rule_for(phase, cause, rules):
        return Verdict(rule.outcome, rule.scope, rule.meaning, rule.park_for, rule=rule.key)
    return _by_code(phase, cause)


def rule_for(phase: Phase, reply: Reply, rules: Sequence[ReplyRule]) -> ReplyRule | None:
    """The first rule that speaks about the reply; None for a positive one, which no rule changes."""
    if reply.code < 400:
        return None
    text = spoken(reply.text)
    return next((rule for rule in rules if rule.matches_spoken(phase, reply, text)), None)


def _of_failure(failure: LinkFailure) -> Verdict:
    if failure.dot_sent:
        return Verdict(Outcome.IN_DOUBT, Scope.CONNECTION, failure.reason)
    if failure.reason in NEEDS_PERSON:
        return Verdict(Outcome.DEFERRED, Scope.RELAY, failure.reason, 15 * _MINUTE)
    if failure.reason in (Reason.LOST, Reason.TIMED_OUT, Reason.CLOSING):
        return Verdict(Outcome.DEFERRED, Scope.CONNECTION, failure.reason, _MINUTE)
    return Verdict(Outcome.DEFERRED, Scope.RELAY, failure.reason, 5 * _MINUTE)


def _of_positive(reply: Reply) -> Verdict:
    if reply.code < 300:
        return Verdict(Outcome.ACCEPTED, Scope.RECIPIENT, Reason.ACCEPTED)
    # 3yz after the dot answers nothing: whether the message was taken cannot be known.
    return Verdict(Outcome.IN_DOUBT, Scope.CONNECTION, Reason.PROTOCOL)


def _by_code(phase: Phase, reply: Reply) -> Verdict:
    if reply.code == 421:  # RFC 5321 3.8: the server is closing the channel
        return Verdict(Outcome.DEFERRED, Scope.CONNECTION, Reason.CLOSING, _MINUTE)
    if phase is Phase.AUTH or reply.code in (530, 534, 535):
        return _of_login(reply)
    if phase in _SESSION:
        park = 5 * _MINUTE if reply.code < 500 else 15 * _MINUTE
        return Verdict(Outcome.DEFERRED, Scope.RELAY, Reason.RELAY_REFUSED, park)
    if reply.code in _OUR_ORDER:
        return Verdict(Outcome.DEFERRED, Scope.CONNECTION, Reason.PROTOCOL, _MINUTE)
    if phase is Phase.MAIL:
        return _of_sender(reply)
    return _of_recipient(phase, reply)


def _of_login(reply: Reply) -> Verdict:
    reason = Reason.AUTH_LOCKED if reply.code < 500 else Reason.AUTH_REFUSED
    return Verdict(Outcome.DEFERRED, Scope.RELAY, reason, 15 * _MINUTE)


def _of_sender(reply: Reply) -> Verdict:
    if reply.code < 500:
        return Verdict(Outcome.DEFERRED, Scope.RELAY, Reason.RELAY_BUSY, 5 * _MINUTE)
    if reply.code == 552 or reply.enhanced in ("5.3.4", "5.2.3"):
        return Verdict(Outcome.REFUSED, Scope.CONTENT, Reason.TOO_BIG)
    if reply.enhanced == "5.6.7":
        return Verdict(Outcome.REFUSED, Scope.RECIPIENT, Reason.NEEDS_SMTPUTF8)
    # MAIL says nothing about the recipient: a sender that may not send must not cost an address.
    return Verdict(Outcome.DEFERRED, Scope.RELAY, Reason.SENDER_REFUSED, 60 * _MINUTE)


def _of_recipient(phase: Phase, reply: Reply) -> Verdict:
    if reply.code < 500:
        return Verdict(
            Outcome.DEFERRED, Scope.RECIPIENT, reason_of_deferral(reply.enhanced, reply.text)
        )
    too_big = Reason.TOO_BIG if phase is Phase.CONTENT else Reason.MAILBOX_FULL
    default = too_big if reply.code == 552 else Reason.REFUSED
    reason = reason_of_refusal(reply.enhanced, reply.text, default)
    if reason is Reason.TOO_BIG:
        return Verdict(Outcome.REFUSED, Scope.CONTENT, reason)
    return Verdict(Outcome.REFUSED, Scope.RECIPIENT, reason, permanent_address=reason in DEAD)

"""What a house knows of messages that the shipped readers leave unrecognised: a phrase and what it means.

The phrases are those of `reply_patterns.words_of`: pieces that occur in this order, searched one after the
other, so that no phrase and no text can make it slow. Nothing here proves whose message it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from campaigns.mailer.bounce import Report
from campaigns.mailer.bounces import prose, returned
from campaigns.mailer.bounces.addresses import addresses_in
from campaigns.mailer.bounces.parts import read_parts
from campaigns.mailer.bounces.reading import readable
from campaigns.mailer.bounces.report import Recipient

#: Characters of readable text that phrases are sought in.
MAX_SAID: Final = 100_000
#: Kinds that the shipped readers make nothing of; only these are asked about.
OPEN: Final = ("unrecognised", "ordinary")


class Meaning(StrEnum):
    HARD = "hard"
    SOFT = "soft"
    AUTO_REPLY = "auto_reply"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class OwnRule:
    """`words`: the pieces of its phrase. `reason` in sisimai's words, for a bounce. `key` is the caller's."""

    key: int
    words: tuple[str, ...]
    meaning: Meaning
    reason: str = ""


def said_in(raw: bytes) -> str:
    """The subject and the readable text of a message, what it returns included. Never raises."""
    reading = readable(read_parts(raw))
    return f"{reading.subject}\n{reading.whole}"[:MAX_SAID].strip()


def normalised(said: str) -> str:
    """As phrases are sought: small letters, single blanks."""
    return " ".join(said.lower().split())


def is_said(words: Iterable[str], text: str) -> bool:
    """Whether the pieces occur in this order in normalised `text`; no pieces never do."""
    end, any_piece = 0, False
    for piece in words:
        found = text.find(piece.lower(), end)
        if found < 0:
            return False
        end, any_piece = found + len(piece), True
    return any_piece


def first_said(text: str, rules: Iterable[OwnRule]) -> OwnRule | None:
    """The first rule whose phrase the normalised text holds."""
    return next((rule for rule in rules if is_said(rule.words, text)), None)


def as_told(report: Report, raw: bytes, rule: OwnRule, address: str = "") -> Report:
    """The report as the rule means it (not for IGNORE). `address`: whom it surely concerns; without one
    the message is searched for whom it names."""
    if rule.meaning is Meaning.AUTO_REPLY:
        return replace(report, kind="autoreply")
    reason = rule.reason or "undefined"
    named = [address] if address else _named_in(raw)
    recipients = tuple(Recipient(one, rule.meaning.value, reason, None, "failed") for one in named)
    return replace(report, kind="bounce", recipients=recipients)


def _named_in(raw: bytes) -> list[str]:
    """To whom the returned message went, else whom the text names."""
    reading = readable(read_parts(raw))
    fields = ("from", "to", "reply-to", "sender")
    own = {a.lower() for name in fields for a in addresses_in(reading.part.get(name))}
    found = returned.recipients_of(reading.returned)[:1] or [
        finding.address for finding in prose.find_recipients(reading.whole, own, None)
    ]
    return found[:20]

"""Feedback reports: a recipient, or their provider, complains about a message (RFC 5965, RFC 6591)."""

import re
from dataclasses import dataclass

from campaigns.mailer.bounces.addresses import ADDRESS, addresses_in, clean

#: Characters kept of one field, and addresses of one report.
MAX_FIELD = 2000
MAX_RECIPIENTS = 50

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,40})[ \t]{0,10}:[ \t]{0,40}(.*)")
_RECIPIENT_FIELDS = ("original-rcpt-to", "removal-recipient")
#: Where providers say in the returned header whom they sent it to (Microsoft, Yahoo).
_RETURNED_FIELDS = ("x-hmxmroriginalrecipient", "x-original-to", "delivered-to", "to")


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    """`feedback_type` is abuse, fraud, virus, not-spam, opt-out, auth-failure, … in lower case."""

    feedback_type: str
    user_agent: str = ""
    original_mail_from: str = ""
    source_ip: str = ""
    recipients: tuple[str, ...] = ()


def read_feedback(text: str, returned: tuple[tuple[str, str], ...] = ()) -> FeedbackReport:
    """A message/feedback-report body; `returned` is the header of the message complained about.

    The recipients are those of Original-Rcpt-To (RFC 5965, 3.2), else those of the returned header.
    Redacted ones are left out. Never raises.
    """
    fields = _fields(text)
    named = [a for name in _RECIPIENT_FIELDS for v in fields.get(name, []) for a in addresses_in(v)]
    recipients = _usable(named) or recipients_of(returned)
    return FeedbackReport(
        feedback_type=_first(fields, "feedback-type").lower() or "abuse",
        user_agent=_first(fields, "user-agent"),
        original_mail_from=clean(_first(fields, "original-mail-from")),
        source_ip=_first(fields, "source-ip"),
        recipients=recipients,
    )


def recipients_of(returned: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Whom the returned message was for, from the most to the least telling field."""
    for field in _RETURNED_FIELDS:
        found = [a for name, v in returned if name == field for a in addresses_in(v)]
        if _usable(found):
            return _usable(found)
    return ()


def _usable(addresses: list[str]) -> tuple[str, ...]:
    kept = {a.lower(): a for a in addresses if ADDRESS.fullmatch(a) and not _is_redacted(a)}
    return tuple(kept.values())[:MAX_RECIPIENTS]


def _is_redacted(address: str) -> bool:
    local = address.partition("@")[0].lower()
    return "redact" in local or set(local) <= set("x*-") or "undisclosed" in address.lower()


def _fields(text: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    name = ""
    for line in text[:200_000].split("\n"):
        if line[:1] in (" ", "\t") and name:
            fields[name][-1] = f"{fields[name][-1]} {line.strip()}"[:MAX_FIELD]
        elif match := _FIELD.match(line.strip()):
            name = match[1].lower()
            fields.setdefault(name, []).append(match[2].strip()[:MAX_FIELD])
    return fields


def _first(fields: dict[str, list[str]], name: str) -> str:
    return next(iter(fields.get(name, [])), "")

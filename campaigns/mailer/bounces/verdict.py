"""From evidence to a cause, and from a cause to hard or soft.

Hard only where the address itself is dead. An unknown user counts as dead only if the server said
so when the address was given (RCPT, or a 5.1.x status); said after the content it may be a filter.
"""

from dataclasses import dataclass

from campaigns.mailer.bounces.cause import Cause
from campaigns.mailer.bounces.causes import (
    authfailure,
    badreputation,
    blocked,
    contenterror,
    expired,
    filtered,
    hasmoved,
    hostunknown,
    mailboxfull,
    mailererror,
    mesgtoobig,
    networkerror,
    norelaying,
    notaccept,
    notcompliantrfc,
    policyviolation,
    ratelimited,
    rejected,
    requireptr,
    securityerror,
    spamdetected,
    suspend,
    syntaxerror,
    systemerror,
    systemfull,
    userunknown,
    virusdetected,
)
from campaigns.mailer.bounces.evidence import Evidence, normalised

#: Searched in this order: what is said in few, telling words comes before what is said loosely.
BY_TEXT: tuple[Cause, ...] = (
    authfailure.CAUSE,
    requireptr.CAUSE,
    badreputation.CAUSE,
    norelaying.CAUSE,
    notaccept.CAUSE,
    hasmoved.CAUSE,
    suspend.CAUSE,
    mailboxfull.CAUSE,
    mesgtoobig.CAUSE,
    virusdetected.CAUSE,
    spamdetected.CAUSE,
    ratelimited.CAUSE,
    rejected.CAUSE,
    notcompliantrfc.CAUSE,
    policyviolation.CAUSE,
    filtered.CAUSE,
    userunknown.CAUSE,
    hostunknown.CAUSE,
    networkerror.CAUSE,
    blocked.CAUSE,
    contenterror.CAUSE,
    systemfull.CAUSE,
    mailererror.CAUSE,
    securityerror.CAUSE,
    syntaxerror.CAUSE,
    expired.CAUSE,
    systemerror.CAUSE,
)
CAUSES: dict[str, Cause] = {cause.name: cause for cause in BY_TEXT}
_BY_STATUS: dict[str, Cause] = {s: cause for cause in reversed(BY_TEXT) for s in cause.statuses}

#: Yahoo tells of an unknown user after the content too; with these words it is one.
_YAHOO = "delivery error: dd this user doesn't have"
#: Chinese houses say it in the report's own words, which no server's reply at DATA does.
_IN_CHINESE = tuple(p for p in userunknown.CAUSE.phrases if "\u4e00" <= p[0] <= "\u9fff")
#: Reasons with no text of their own.
ONHOLD, UNDEFINED = "onhold", "undefined"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` in sisimai's words; `cls` is hard or soft."""

    reason: str
    cls: str


def judge(evidence: Evidence, told: str | None = None) -> Verdict:
    """The verdict on one recipient. `told` is a cause that the reporting program names beyond doubt."""
    reason = told or _reason(evidence)
    cause = CAUSES.get(reason)
    hard = cause is not None and cause.hard and not _is_passing(evidence, reason)
    return Verdict(reason, "hard" if hard else "soft")


def _reason(evidence: Evidence) -> str:
    reply, around = normalised(evidence.reply), normalised(evidence.around)
    cause = (
        _said(reply, evidence) or _by_status(evidence.status, evidence) or _said(around, evidence)
    )
    if cause is not None:
        return cause
    if evidence.action == "delayed":
        return expired.CAUSE.name
    return ONHOLD if reply or around else UNDEFINED


def _said(text: str, evidence: Evidence) -> str | None:
    cause = next((cause for cause in BY_TEXT if cause.said_in(text)), None) if text else None
    if cause is None:
        return None
    if cause.hard and evidence.command == "MAIL":
        return rejected.CAUSE.name
    if cause is hostunknown.CAUSE and "try again" in text:
        return networkerror.CAUSE.name
    if cause is userunknown.CAUSE and not _was_asked(evidence):
        plain = _YAHOO in text or any(phrase in text for phrase in _IN_CHINESE)
        return userunknown.CAUSE.name if plain else filtered.CAUSE.name
    return cause.name


def _was_asked(evidence: Evidence) -> bool:
    """Whether the answer was about the address: at RCPT, or with a status of class x.1.y."""
    detail = evidence.status[2:] if evidence.status else ""
    if detail.startswith("1.") or evidence.command == "RCPT":
        return True
    if evidence.command or not evidence.machine_readable:
        return False
    return detail in ("", "0.0", "5.0")


def _by_status(status: str | None, evidence: Evidence) -> str | None:
    cause = _BY_STATUS.get(status[2:]) if status else None
    if cause is None:
        return None
    return rejected.CAUSE.name if cause.hard and evidence.command == "MAIL" else cause.name


def _is_passing(evidence: Evidence, reason: str) -> bool:
    """A delay is never final, and a host that takes no mail may be DNS trouble while the code is 4yz."""
    if evidence.action == "delayed":
        return True
    temporary = evidence.status is not None and evidence.status.startswith("4")
    return temporary and reason in (notaccept.CAUSE.name, hostunknown.CAUSE.name)

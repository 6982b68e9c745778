"""How long a stop of a relay lasts: as its reply asks, and twice as long each time that it comes again.

A stop comes again when it has the same cause, within an hour of the last one's end, and nothing was accepted
in between. What a team's own rule says stays as it is: a person wrote it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts.models import Relay
from campaigns.mailer.reply import Outcome, Verdict
from campaigns.mailer.reply_reasons import Reason
from campaigns.models import Attempt, RelayPark

_UNSAID = timedelta(minutes=1)
_AGAIN_WITHIN = timedelta(hours=1)
#: A limit of the provider may last a day, and each time that it is asked too early it may last longer.
_LONGEST_OF_LIMITS = timedelta(hours=6)
#: A server that is away or in trouble may be back at any moment.
_LONGEST = timedelta(minutes=30)
_LIMITS = frozenset(
    {
        *(Reason.RATE_LIMITED, Reason.DAY_LIMIT, Reason.CONNECTION_LIMIT, Reason.AUTH_LOCKED),
        *(Reason.SENDER_REFUSED, Reason.RELAYING_DENIED),
        *(Reason.ACCOUNT_BLOCKED, Reason.ADDRESS_BLOCKED),
    }
)


def park_length(relay: Relay, verdict: Verdict, now: datetime) -> timedelta:
    """Never shorter than the reply asks."""
    asked = verdict.park_for or _UNSAID
    if verdict.rule.startswith("own:"):
        return asked
    last = RelayPark.objects.filter(relay=relay).order_by("-at").first()
    if last is None or last.reason != verdict.reason:
        return asked
    if not now - _AGAIN_WITHIN <= last.until <= now:  # what runs still was met by another worker
        return asked
    if Attempt.objects.filter(
        relay=relay, started_at__gt=last.at, outcome=Outcome.ACCEPTED
    ).exists():
        return asked
    longest = _LONGEST_OF_LIMITS if verdict.reason in _LIMITS else _LONGEST
    return max(asked, min(2 * (last.until - last.at), longest))

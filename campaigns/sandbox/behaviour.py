"""What the sandbox does with an address: the prefixes that misbehave on purpose.

They hold for any domain, so that a test list can be made from any payroll by renaming people.
"""

from collections import OrderedDict
from enum import StrEnum

_REMEMBERED_DEFERRALS = 100_000


class Behaviour(StrEnum):
    """How a recipient's address is treated; the value is the prefix of its local part."""

    REFUSE = "refuse-"
    DEFER = "defer-"
    BOUNCE = "bounce-"
    AWAY = "away-"
    STALL = "stall-"
    STORE = ""


def behaviour_of(address: str) -> Behaviour:
    """The rule of an address, by its local part without case; quoting changes nothing."""
    local = address.rpartition("@")[0].lstrip('"').lower()
    return next(rule for rule in Behaviour if local.startswith(rule.value))


class Greylist:
    """The memory behind `defer-`: the first try of each message to it is turned away.

    The key is (return path, recipient), the triplet of greylisting without the client. RCPT comes
    before the content, so the Message-ID cannot be part of it; what is accepted is forgotten
    instead, and the next message to the same person is deferred again.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def is_first_try(self, mail_from: str, recipient: str) -> bool:
        """True once, then False until `accepted` is called for the pair."""
        key = (mail_from.lower(), recipient.lower())
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED_DEFERRALS:
            self._seen.popitem(last=False)
        return True

    def accepted(self, mail_from: str, recipient: str) -> None:
        """The message has been taken: what comes next to this recipient is another one."""
        self._seen.pop((mail_from.lower(), recipient.lower()), None)

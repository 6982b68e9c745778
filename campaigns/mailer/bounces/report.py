"""What is known of a message after it was read: its kind and its recipients (contract: read_bounce)."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "bounce", "delivered", "feedback", "autoreply", "challenge", "ordinary", "unrecognised"
]


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient of a report: `cls` is hard or soft, `reason` in sisimai's words, `status` x.y.z
    (RFC 3463) or None, `action` failed, delayed, delivered, expanded, relayed (RFC 3464) or None."""

    address: str
    cls: str
    reason: str
    status: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A message's kind and recipients. `originals` maps a final recipient to the address it was
    reached by, where that is another (RFC 3464, 2.3.1)."""

    kind: Kind
    recipients: tuple[Recipient, ...] = ()
    diagnostic: str = ""
    reporting_mta: str = ""
    originals: dict[str, str] = field(default_factory=dict)

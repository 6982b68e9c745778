"""Track: what a recipient does with a link of ours. Here: leaving a list, and coming back by mistake.

Every act is idempotent and needs no sign-in: the token in the link is what proves that it came by
mail to this recipient (RFC 8058). A token of a link is read here alone, and one of another purpose
is none.
"""

from __future__ import annotations

from campaigns.pipeline.compose import links
from campaigns.pipeline.subscription import (
    BY_ONE_CLICK,
    BY_PAGE,
    Subscription,
    of_message,
    resubscribe,
    unsubscribe,
)

__all__ = [
    "BY_ONE_CLICK",
    "BY_PAGE",
    "Subscription",
    "resubscribe",
    "subscription",
    "unsubscribe",
]


def subscription(token: str) -> Subscription | None:
    """The subscription that an unsubscribe link is about; None for anything but a link of ours."""
    ids = links().read_unsubscribe(token)
    return of_message(*ids) if ids is not None else None

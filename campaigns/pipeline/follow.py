"""Follow: where a tracked address leads. The hit goes to the buffer; nothing else happens on a GET."""

from __future__ import annotations

from functools import cache

from campaigns.mailer.hits import Request
from campaigns.mailer.tracked_links import Followed, TrackedLinks
from campaigns.pipeline.compose import tracked_links
from campaigns.pipeline.hits import BUFFER, Record, now

__all__ = ["Followed", "read", "record"]


@cache
def _links() -> TrackedLinks:
    return tracked_links()


def read(token: str) -> Followed | None:
    """What a token of ours says; None for anything else."""
    return _links().read(token)


def record(found: Followed, *, method: str, agent: str, address: str, purpose: str) -> None:
    """Remembers the request; a test's address (campaign 0) is followed and counted nowhere."""
    if not found.campaign:
        return
    request = Request(method, agent, address, purpose, bool(found.link))
    BUFFER.add(Record(found.campaign, found.delivery, found.link, now(), request))

"""Hits on tracked links told apart: people, and the machines that follow links before or for them.

Two looks: at a request alone (its method, headers, agent and network; machines.py), and at what came together
with it. Both can only find machines that give themselves away; what is left is called a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from campaigns.mailer import machines

#: Seconds after the server accepted a message in which nobody can have read it; gateways scan even before.
EARLIEST: Final = 1.0
#: Seconds within which one person does not follow so many links of a message.
BURST_SECONDS: Final = 5.0
BURST_LINKS: Final = 3
#: Seconds within which one person does not follow all links of a message that has two.
ALL_SECONDS: Final = 2.0


class Visitor(StrEnum):
    """Who a hit is taken for; all but PERSON are machines."""

    PERSON = "person"
    PROXY = "proxy"
    SCANNER = "scanner"
    PREFETCH = "prefetch"
    EARLY = "early"
    BURST = "burst"


@dataclass(frozen=True, slots=True)
class Request:
    """What is looked at of a request. `purpose`: Sec-Purpose, Purpose, X-Purpose and X-Moz, joined."""

    method: str
    agent: str
    address: str
    purpose: str
    is_link: bool


@dataclass(frozen=True, slots=True)
class Came:
    """A hit among others: `at` in Unix seconds; `link` 0 is the picture."""

    at: float
    link: int


def visitor_of(request: Request) -> Visitor | None:
    """The machine that a request alone gives away; None where it might be a person's."""
    purpose = request.purpose.lower()
    if "prefetch" in purpose or "prerender" in purpose or "preview" in purpose:
        return Visitor.PREFETCH
    # A person's program asks for what it shows.
    if request.method != "GET":
        return Visitor.SCANNER
    return _by_agent(request.agent, request.is_link) or _by_network(
        request.address, request.is_link
    )


@lru_cache(maxsize=4096)
def _by_agent(agent: str, is_link: bool) -> Visitor | None:
    known = agent.strip().lower()
    if not known:
        return Visitor.SCANNER
    if whole := machines.AGENTS.get(known):
        return Visitor(whole)
    parts = machines.PARTS + (machines.LINK_PARTS if is_link else ())
    return next((Visitor(kind) for part, kind in parts if part in known), None)


@lru_cache(maxsize=4096)
def _by_network(address: str, is_link: bool) -> Visitor | None:
    kind = machines.kind_of_network(address)
    # The pictures that Outlook on the web shows come through the network that scans links.
    if kind == machines.SCANNER and not is_link:
        return Visitor.PROXY
    return Visitor(kind) if kind else None


def judged(hits: Sequence[Came], *, accepted: float | None, links: int) -> list[Visitor]:
    """For each hit of one message that no request gave away: EARLY, BURST or PERSON.

    `accepted` is when the message was (Unix seconds), `links` how many it has. Scanners may look before the server
    has accepted a message, so there is no earliest moment.
    """
    bursts = burst_of(hits, links=links)
    return [
        Visitor.EARLY
        if accepted is not None and hit.at <= accepted + EARLIEST
        else Visitor.BURST
        if at in bursts
        else Visitor.PERSON
        for at, hit in enumerate(hits)
    ]


def burst_of(hits: Sequence[Came], *, links: int) -> set[int]:
    """The places of those that are part of a burst: BURST_LINKS different links, or all of two, in a few seconds."""
    clicks = sorted((hit.at, hit.link, place) for place, hit in enumerate(hits) if hit.link)
    found: set[int] = set()
    for most, seconds in ((BURST_LINKS, BURST_SECONDS), (max(links, 2), ALL_SECONDS)):
        first = 0
        inside: dict[int, int] = {}
        for last, (at, link, _place) in enumerate(clicks):
            inside[link] = inside.get(link, 0) + 1
            while at - clicks[first][0] > seconds:
                gone = clicks[first][1]
                inside[gone] -= 1
                if not inside[gone]:
                    del inside[gone]
                first += 1
            if len(inside) >= most:
                found.update(place for _at, _link, place in clicks[first : last + 1])
    return found

"""How full a window was, by the relay's own clock."""

from __future__ import annotations

from collections.abc import Iterable

from tests.fakes.scripted_relay import Accepted


def most_at_once(taken: Iterable[Accepted], seconds: float) -> int:
    """The most messages in any window; each occupies it from its final reply, as relays count."""
    ended = sorted(message.ended for message in taken)
    most = first = 0
    for last, moment in enumerate(ended):
        while moment - ended[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most

"""Shares: which of a campaign's relays carries which recipient, decided when it is planned.

After n recipients each relay has its exact share of n, give or take less than one: the turns follow
the earliest deadline, which always fits (Baruah et al., "Proportionate progress", 1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from accounts.models import Relay
from campaigns.models import Campaign


@dataclass(frozen=True)
class Carrier:
    """A relay of a campaign with its weight; both numbers count for all of its recipients."""

    relay: Relay
    weight: int = 1


def carriers_of(campaign: Campaign) -> list[Carrier]:
    """The relays that carry a campaign: the one of its form, or several with their weights."""
    several = [
        Carrier(row.relay, row.weight)
        for row in campaign.carriers.select_related("relay")
        .defer("relay__secret", "relay__ca_pem")
        .order_by("pk")
    ]
    if several:
        return several
    return [Carrier(campaign.relay)] if campaign.relay is not None else []


def turns(weights: Sequence[int]) -> list[int]:
    """Whose turn it is: indexes into `weights`, one round long; then it begins again."""
    divisor = gcd(*weights)
    shares = [weight // divisor for weight in weights]
    total, given, found = sum(shares), [0] * len(shares), []
    for turn in range(total):
        # Who may have one more by now, and of these whoever must have it soonest.
        able = [i for i, share in enumerate(shares) if given[i] * total < share * (turn + 1)]
        chosen = min(able, key=lambda i: (-(-(given[i] + 1) * total // shares[i]), i))
        given[chosen] += 1
        found.append(chosen)
    return found

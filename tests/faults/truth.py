"""What the relay took against what the rows say: each recipient accounted for, none twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg

from tests.fakes.scripted_relay import Accepted

_ROWS = """
SELECT d.id, d.address, d.state, d.message_id, d.claim_id, d.attempts, d.reason,
    (SELECT count(*) FROM campaigns_attempt a WHERE a.delivery_id = d.id AND a.content_began)
FROM campaigns_delivery d WHERE d.campaign_id = %s ORDER BY d.id
"""
FINAL = {"accepted", "refused", "in_doubt", "failed", "expired", "suppressed", "cancelled"}


@dataclass(frozen=True)
class Row:
    """A delivery as the database has it; `begun`: its attempts whose content began."""

    id: int
    address: str
    state: str
    message_id: str
    claim: int | None
    attempts: int
    reason: str
    begun: int


def rows(database: psycopg.Connection[tuple[object, ...]], campaign: int) -> list[Row]:
    return [Row(*row) for row in database.execute(_ROWS, [campaign])]  # type: ignore[arg-type]


def check(found: Sequence[Row], taken: Iterable[Accepted], *, repeats: int = 0) -> Counter[str]:
    """Asserts that rows and log agree; the number of rows in each state.

    `repeats`: how many messages the relay may have got more than once (the policy "resend").
    """
    taken = list(taken)
    times = Counter(message.message_id for message in taken)
    owner = {message.message_id: message.rcpt_to for message in taken}
    for row in found:
        number = times.pop(row.message_id, 0) if row.message_id else 0
        if number:
            assert owner[row.message_id] == (row.address,), row
        if row.state == "accepted":
            assert number >= 1, f"lost: {row}"
            repeats -= number - 1
        elif row.state == "in_doubt":
            assert number <= 1, f"twice: {row}"
        else:
            assert number == 0, f"sent though it says otherwise: {row}"
    assert not times, f"nobody's: {times}"
    assert repeats >= 0, "sent twice"
    return Counter(row.state for row in found)


def check_doubts(found: Sequence[Row]) -> int:
    """Asserts that no connection left more than one in doubt; how many there are."""
    per_claim = Counter(row.claim for row in found if row.state == "in_doubt")
    assert None not in per_claim, "a doubt names the connection that it came from"
    assert max(per_claim.values(), default=0) <= 1, per_claim
    return per_claim.total()

"""The permits of one batch: taken in blocks, given back unused, settled together.

Until it is settled, a permit whose message was replied to counts as in flight: so no window is ever
over, and what is settled late occupies it a little longer.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from accounts.models import Relay
from campaigns.models import Claim
from campaigns.pipeline.ledger import BLOCK, Ledger, windows_of

# Permits of messages that were replied to are settled at the latest after this (seconds).
SETTLE_SECONDS = 0.25
BLOCK_WITHOUT_LIMITS = 200


class Permits:
    """`book` is the ledger; `relay` says which windows and whose quota.

    Each block is asked for in the name of the next of the claims, of which there may come more, and
    none ever holds more than a block: that is what the ledger assumes of a claim after a rebuild,
    until that one asks and says how many it has.
    """

    def __init__(self, book: Ledger, relay: Relay, claims: Sequence[Claim]) -> None:
        self._book, self._group, self._claims = book, relay.quota_group, claims
        self._asked = 0
        # permit → claim, of those that are neither settled nor given back
        self._held: dict[str, str] = {}
        self._windows = windows_of(relay)
        # A second's limit wants each permit asked for, and settled, by itself.
        self._block = 1 if any(window.kind == "second" for window in self._windows) else BLOCK
        if not self._windows:
            # Nothing to exceed: they are counted for a limit that is set later.
            self._block = BLOCK_WITHOUT_LIMITS
        self._free: deque[str] = deque()
        self._replied: list[str] = []
        self._settled_at = time.monotonic()

    @property
    def at_hand(self) -> int:
        return len(self._free)

    def ask(self, most: int) -> float:
        """Gets up to a block of them; or the seconds after which there could be one."""
        self.settle()
        claim = str(self._claims[self._asked % len(self._claims)].pk)
        self._asked += 1
        holding = sum(one == claim for one in self._held.values())
        want = min(self._block, most, max(1, self._block - holding))
        permit = self._book.acquire(self._group, self._windows, claim, want, holding=holding)
        self._free.extend(permit.ids)
        self._held |= dict.fromkeys(permit.ids, claim)
        return permit.wait

    def take(self) -> str:
        """One of those at hand."""
        return self._free.popleft()

    def put_back(self, permit: str) -> None:
        """It is the next one to take."""
        self._free.appendleft(permit)

    def release(self, permit: str) -> None:
        """Nothing was sent with it."""
        self._held.pop(permit, None)
        self._book.release(self._group, [permit])

    def replied(self, permit: str) -> None:
        """Its message's content was answered, or left in doubt."""
        self._replied.append(permit)

    def settle_some(self) -> None:
        """Settles once a block is full or the oldest has waited long enough."""
        late = time.monotonic() - self._settled_at > SETTLE_SECONDS
        if late or len(self._replied) >= self._block:
            self.settle()

    def settle(self) -> None:
        """The windows' lengths of all messages that were replied to count from now."""
        replied, self._replied = self._replied, []
        self._settled_at = time.monotonic()
        if replied:
            self._book.settle(self._group, replied)
            for permit in replied:
                self._held.pop(permit, None)

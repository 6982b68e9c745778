"""A quota ledger that may be away: a batch then sends nothing more, and nothing is counted too low.

Redis restarts, or its link breaks, in the middle of a batch. Whoever asks for a permit gets none and
the time after which to ask again. What could not be settled stays in flight in the ledger until the
claim ends, and then counts as replied to at that later moment.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError, connection
from redis import RedisError

from campaigns.mailer.throttle import Permit, Window
from campaigns.pipeline.redis_ledger import RedisLedger

log = logging.getLogger(__name__)
# Longer than a worker waits for a permit: the relay rests, and the thread is free for others.
ASK_AGAIN_SECONDS = 10.0


class LedgerAway(Exception):
    """The ledger could not be reached: the claim must stay open, so that the sweep counts it later."""


class SteadyLedger:
    """The ledger in Redis for senders: `acquire`, `settle` and `release` never raise.

    `close` and `abandon` raise LedgerAway; until they succeed nothing of the claim is forgotten.
    """

    def __init__(self, inner: RedisLedger) -> None:
        self._inner = inner
        self._unsettled: set[tuple[str, str]] = set()

    def acquire(
        self, group: str, windows: Sequence[Window], claim: str, want: int, *, holding: int = 1
    ) -> Permit:
        """As of RedisLedger; nothing while Redis, or the database that it is rebuilt from, is away."""
        try:
            return self._inner.acquire(group, windows, claim, want, holding=holding)
        except RedisError as error:
            log.warning("The quota ledger is away (%s): nothing is sent.", type(error).__name__)
        except (DatabaseError, InterfaceError):
            log.warning("The quota ledger cannot be rebuilt: the database is away.")
            connection.close()
        return Permit([], ASK_AGAIN_SECONDS)

    def settle(self, group: str, ids: Sequence[str]) -> None:
        """Without Redis they stay in flight, and count when the claim ends."""
        try:
            self._inner.settle(group, ids)
        except RedisError:
            self._unsettled.update((group, permit.rpartition(":")[0]) for permit in ids)

    def release(self, group: str, ids: Sequence[str]) -> None:
        """Without Redis they stay taken until the claim ends."""
        try:
            self._inner.release(group, ids)
        except RedisError:
            log.warning("Unused permits could not be given back; they end with their claim.")

    def close(self, group: str, claim: str) -> None:
        """As of RedisLedger, but what could not be settled counts as replied to now."""
        end = self._inner.abandon if (group, claim) in self._unsettled else self._inner.close
        try:
            end(group, claim)
        except RedisError as error:
            raise LedgerAway from error
        self._unsettled.discard((group, claim))

    def abandon(self, group: str, claim: str) -> None:
        """As of RedisLedger."""
        try:
            self._inner.abandon(group, claim)
        except RedisError as error:
            raise LedgerAway from error
        self._unsettled.discard((group, claim))

    def usage(self, group: str, windows: Sequence[Window]) -> list[int]:
        """As of RedisLedger; raises RedisError: a page says that it does not know."""
        return self._inner.usage(group, windows)

    def history(self, group: str, ages: Sequence[float]) -> list[int]:
        """As of RedisLedger; raises RedisError."""
        return self._inner.history(group, ages)

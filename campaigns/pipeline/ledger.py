"""The quota ledger: every message whose content began occupies its relay's windows.

In production it lies in Redis, shared by all workers on all machines, and each operation is one
atomic script; embedded it is `mailer.throttle.MemoryLedger` in the one process. Both are rebuilt
from the Attempt rows when they are empty: Redis was flushed or restarted (its run_id differs), or
the process is new. So no restart ever gives a fresh quota (docs/adr/0004).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from campaigns.mailer.throttle import Permit, Window

# The longest window that a provider counts in; older attempts occupy nothing.
HISTORY = timedelta(hours=49)


class Ledger(Protocol):
    """What a sender asks of the ledger; see MemoryLedger for the meaning of each."""

    def acquire(self, group: str, windows: Sequence[Window], claim: str, want: int) -> Permit: ...

    def settle(self, group: str, ids: Sequence[str]) -> None: ...

    def release(self, group: str, ids: Sequence[str]) -> None: ...

    def abandon(self, group: str, claim: str) -> None: ...

    def usage(self, group: str, windows: Sequence[Window]) -> list[int]: ...

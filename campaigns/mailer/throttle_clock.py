"""Time for a ledger: it never goes back, and a jump of the system's clock frees no quota."""

import math
from collections.abc import Callable
from dataclasses import dataclass

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Now:
    """One moment in microseconds: by the ledger's own count, and as the wall clock shows it."""

    ledger: int
    wall: int


class LedgerClock:
    """The ledger's count of time; starts at the wall clock's.

    With `monotonic` (seconds) it follows that one, so a jump of `clock` (UNIX seconds) does nothing.
    Without, it follows the steps of `clock`: a step back counts as nothing, one over `max_gap` seconds
    as `max_gap`. Idle time over `max_gap` is then cut as well unless somebody reads the clock in
    between, which errs on the safe side. Not thread-safe by itself.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        monotonic: Callable[[], float] | None = None,
        max_gap: float = 60.0,
    ) -> None:
        if max_gap <= 0:
            raise ValueError("max_gap must be positive")
        self._clock = clock
        self._source = monotonic or clock
        self._max_step = math.inf if monotonic else int(max_gap * _MICROSECONDS)
        self._last = _read(self._source)
        self._ledger = _read(clock)

    def now(self) -> Now:
        """Reads the clocks and moves on."""
        current = _read(self._source)
        self._ledger += int(min(max(0, current - self._last), self._max_step))
        self._last = current
        return Now(self._ledger, _read(self._clock))


def _read(clock: Callable[[], float]) -> int:
    return round(clock() * _MICROSECONDS)

"""A relay's limits: which messages count in which window, and a ledger that grants permits.

A message occupies a window from its permit until one window's length after its final reply, since
nobody knows when in between the relay counted it. `Window` is the arithmetic, shared by every ledger;
`MemoryLedger` is the one for a single process. Times inside are whole microseconds: no rounding can
free a place early.
"""

import math
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from campaigns.mailer.throttle_clock import LedgerClock, Now

MICROSECONDS = 1_000_000
#: Seconds: the longest wait that is ever reported. Quota may be released or limits edited meanwhile.
LONGEST_WAIT = 3600.0
# Seconds added to a wait: what is lost by cutting two readings of a clock to whole microseconds.
_CLOCK_GRAIN = 2e-6


class WindowKind(StrEnum):
    """The lengths that relays count in; `in_flight` counts only what has no final reply yet."""

    IN_FLIGHT = "in_flight"
    SECOND = "second"
    MINUTE = "minute"
    QUARTER_HOUR = "quarter_hour"
    HOUR = "hour"
    DAY = "day"


# What was replied to in the same microsecond may still count as in flight.
_SECONDS = {
    WindowKind.IN_FLIGHT: 1e-6,
    WindowKind.SECOND: 1,
    WindowKind.MINUTE: 60,
    WindowKind.QUARTER_HOUR: 900,
    WindowKind.HOUR: 3600,
    WindowKind.DAY: 86400,
}


@dataclass(frozen=True, slots=True)
class Window:
    """At most `amount` messages in a rolling window, or in each calendar day of the IANA `zone`."""

    kind: WindowKind
    amount: int
    zone: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a zone on anything but a day, a negative amount, an unknown zone."""
        if self.amount < 0:
            raise ValueError("amount must not be negative")
        if self.zone is not None:
            if self.kind is not WindowKind.DAY:
                raise ValueError("only a day has a zone")
            try:
                ZoneInfo(self.zone)
            except (KeyError, OSError, ValueError) as error:
                raise ValueError(f"unknown time zone {self.zone!r}") from error

    @property
    def length(self) -> int:
        """Microseconds; of a calendar day the longest one (25 hours)."""
        hours = 25 if self.zone is not None else 24
        seconds = hours * 3600 if self.kind is WindowKind.DAY else _SECONDS[self.kind]
        return round(seconds * MICROSECONDS)

    def cutoff(self, now: Now) -> int:
        """Ledger time: replies up to and at this moment no longer count."""
        if self.zone is None:
            return now.ledger - self.length
        # Ledger and wall clock differ after a jump, and which is right is unknown. The earlier of
        # them names the day, and replies that either would place in that day count.
        midnight = self._midnight(min(now.ledger, now.wall), days=0)
        return midnight - max(0, now.wall - now.ledger) - 1

    def frees_at(self, ended: int, now: Now) -> int:
        """Ledger time at which a message with its final reply at `ended` stops counting."""
        if self.zone is None:
            return ended + self.length
        earlier = min(now.ledger, now.wall)
        return self._midnight(earlier, days=1) - earlier + now.ledger

    def _midnight(self, moment: int, *, days: int) -> int:
        """The start of the calendar day of `moment`, or of the one so many days later."""
        assert self.zone is not None
        zone = ZoneInfo(self.zone)
        date = datetime.fromtimestamp(moment // MICROSECONDS, zone).date() + timedelta(days=days)
        return (
            int(datetime(date.year, date.month, date.day, tzinfo=zone).timestamp()) * MICROSECONDS
        )


@dataclass(frozen=True, slots=True)
class Permit:
    """One id for each message that may be sent now; without any, `wait` seconds until asking again."""

    ids: list[str]
    wait: float = 0.0


@dataclass(slots=True)
class _Account:
    """What is known of one quota group: permits in flight and the times of final replies, ascending."""

    in_flight: dict[str, str] = field(default_factory=dict)  # permit id -> claim
    ended: list[int] = field(default_factory=list)
    longest: int = 0

    def used(self, window: Window, now: Now) -> int:
        return len(self.in_flight) + len(self.ended) - bisect_right(self.ended, window.cutoff(now))

    def wait(self, window: Window, now: Now) -> float:
        """Seconds until this full window may have a place, if every message in flight ends now."""
        over = self.used(window, now) - window.amount  # so many must go, and one more
        gone = bisect_right(self.ended, window.cutoff(now))
        index = gone + over
        if window.amount <= 0:
            return LONGEST_WAIT
        ended = self.ended[index] if index < len(self.ended) else now.ledger
        return min(LONGEST_WAIT, max(0, window.frees_at(ended, now) - now.ledger) / MICROSECONDS)

    def forget(self, windows: Sequence[Window], now: Now) -> None:
        """Drops replies that no window asked about so far can count."""
        self.longest = max((self.longest, *(window.length for window in windows)))
        oldest = now.ledger - self.longest - abs(now.wall - now.ledger)
        # Deleting from a list's front moves the rest, so not for each one.
        if self.ended and (stale := bisect_right(self.ended, oldest)) > max(
            64, len(self.ended) // 2
        ):
            del self.ended[:stale]


class Ledger(Protocol):
    """What a sender needs of a ledger, wherever it is kept. The methods are those of `MemoryLedger`."""

    def acquire(self, group: str, windows: Sequence[Window], claim: str, want: int) -> Permit: ...

    def settle(self, group: str, ids: Iterable[str]) -> None: ...

    def release(self, group: str, ids: Iterable[str]) -> None: ...

    def abandon(self, group: str, claim: str) -> None: ...

    def rebuild(
        self,
        group: str,
        history: Iterable[tuple[float, float | None]],
        open_claims: Iterable[str] = (),
    ) -> None: ...

    def usage(self, group: str, windows: Sequence[Window]) -> list[int]: ...


class MemoryLedger:
    """Permits and final replies of one process. Thread-safe.

    `clock` is UNIX time in seconds, `monotonic` should be given beside it; see `LedgerClock` for what a
    jump does. A worker that ends
    a claim calls `abandon` for what it has not settled or released. When a limit with a longer window
    is added later, `rebuild` brings back the replies that nobody had asked about before.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        monotonic: Callable[[], float] | None = None,
        max_gap: float = 60.0,
    ) -> None:
        self._clock = LedgerClock(clock, monotonic=monotonic, max_gap=max_gap)
        self._accounts: dict[str, _Account] = {}
        self._serial = 0
        self._lock = threading.Lock()

    def tick(self) -> None:
        """Lets ledger time pass. Called more often than `max_gap`, idle time counts in full."""
        with self._lock:
            self._clock.now()

    def acquire(self, group: str, windows: Sequence[Window], claim: str, want: int) -> Permit:
        """Up to `want` permits, so that no window is ever exceeded."""
        with self._lock:
            now = self._clock.now()
            account = self._account(group)
            account.forget(windows, now)
            room = min(
                (window.amount - account.used(window, now) for window in windows), default=want
            )
            if room > 0 or want <= 0:
                return Permit([self._grant(account, claim) for _ in range(min(want, room))])
            full = [window for window in windows if account.used(window, now) >= window.amount]
            wait = max(account.wait(window, now) for window in full)
            return Permit([], min(LONGEST_WAIT, wait + _CLOCK_GRAIN))

    def _grant(self, account: _Account, claim: str) -> str:
        self._serial += 1
        permit = f"{claim}/{self._serial}"
        account.in_flight[permit] = claim
        return permit

    def settle(self, group: str, ids: Iterable[str]) -> None:
        """The final replies came now.

        An id from before a rebuild uses up the place of its claim; one that was abandoned before, or
        settled already, counts once more: the relay may have counted it at the later time.
        """
        with self._lock:
            now = self._clock.now()
            account = self._account(group)
            for permit in ids:
                claim = permit.rpartition("/")[0]
                if account.in_flight.pop(permit, None) is None:
                    account.in_flight.pop(_placeholder(claim), None)
                # One more than now: a reply later in this microsecond must not be freed early.
                account.ended.append(now.ledger + 1)

    def release(self, group: str, ids: Iterable[str]) -> None:
        """Gives back permits whose message did not begin. Unknown ids do nothing."""
        with self._lock:
            account = self._account(group)
            for permit in ids:
                account.in_flight.pop(permit, None)

    def abandon(self, group: str, claim: str) -> None:
        """Counts everything a dead claim had in flight as replied to now."""
        with self._lock:
            now = self._clock.now()
            account = self._account(group)
            for permit in [key for key, owner in account.in_flight.items() if owner == claim]:
                del account.in_flight[permit]
                account.ended.append(now.ledger + 1)

    def close(self, group: str, claim: str) -> None:
        """Its worker ended the claim and has settled what it sent: the rest was never used."""
        with self._lock:
            account = self._account(group)
            for permit in [key for key, owner in account.in_flight.items() if owner == claim]:
                del account.in_flight[permit]

    def rebuild(
        self,
        group: str,
        history: Iterable[tuple[float, float | None]],
        open_claims: Iterable[str] = (),
    ) -> None:
        """Starts over from attempts (UNIX times of start and end) and one message per open claim.

        An attempt without an end may still be counted by the relay: it ends now. Times in the future
        (another machine's clock) end now as well.
        """
        with self._lock:
            now = self._clock.now()
            ends = (now.wall if end is None else _microseconds(end) for _, end in history)
            account = self._accounts[group] = _Account()
            # Wall to ledger time, so that jumps before the rebuild don't shift what is remembered.
            account.ended = sorted(min(now.ledger, end - now.wall + now.ledger) for end in ends)
            account.in_flight = {_placeholder(claim): claim for claim in open_claims}

    def usage(self, group: str, windows: Sequence[Window]) -> list[int]:
        """How many places of each window are taken now."""
        with self._lock:
            now = self._clock.now()
            return [self._account(group).used(window, now) for window in windows]

    def history(self, group: str, ages: Sequence[float]) -> list[int]:
        """How many final replies are younger than each age (seconds): what a forecast goes by."""
        with self._lock:
            now, ended = self._clock.now(), self._account(group).ended
            since = (now.ledger - round(age * MICROSECONDS) for age in ages)
            return [len(ended) - bisect_right(ended, moment) for moment in since]

    def _account(self, group: str) -> _Account:
        return self._accounts.setdefault(group, _Account())


def _placeholder(claim: str) -> str:
    """The id of what an open claim may have in flight after a rebuild. No permit ends like this."""
    return f"{claim}/rebuilt"


def _microseconds(seconds: float) -> int:
    return math.ceil(seconds * MICROSECONDS)

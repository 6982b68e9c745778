"""The quota ledger in Redis: one atomic script an operation, for all workers on all machines.

A quota group has three keys: permits in flight, final replies of the longest window, and a hash
with the run_id of the Redis server that wrote them. A script finds another run_id after a restart,
and none after a FLUSHALL; then nothing is granted until the group has been rebuilt.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from redis import Redis

from campaigns.mailer.throttle import MICROSECONDS, Permit, Window
from campaigns.pipeline.redis_scripts import ABANDON, ACQUIRE, END, USAGE

# What a message that was in flight when Redis was lost is stored as: "<claim>:lost<n>".
_LOST = "lost"

# (history of (started, ended) as epoch seconds, ids of open claims) of a quota group
Remembered = Callable[[str], tuple[Iterable[tuple[str, float]], Sequence[str]]]


class RedisLedger:
    """The same operations as MemoryLedger; `remembered` reads a group's attempts from the database.

    `block`: the most permits that a claim may hold at once, which a rebuild assumes of every open
    one. `clock` (epoch seconds) and `since_boot` (seconds) are for tests; by default the Redis
    server's time counts, and this machine's time since it booted tells how far it can have gone on.
    """

    def __init__(
        self,
        client: Redis,
        remembered: Remembered,
        *,
        block: int,
        history: float,
        clock: Callable[[], float] | None = None,
        since_boot: Callable[[], float] | None = None,
        prefix: str = "hongyan:quota",
    ) -> None:
        self._since_boot = since_boot or (None if clock else _since_boot)
        self._client, self._remembered = client, remembered
        self._block, self._history, self._clock, self._prefix = block, history, clock, prefix
        self._acquire = client.register_script(ACQUIRE)
        self._end = client.register_script(END)
        self._abandon = client.register_script(ABANDON)
        self._usage = client.register_script(USAGE)

    def acquire(
        self, group: str, windows: Sequence[Window], claim: str, want: int, *, holding: int = 1
    ) -> Permit:
        """Up to `want` permits, or none and the seconds after which there could be one.

        `holding`: how many messages of the group the claim may have in flight when it asks.
        """
        rest = [claim, want, self._history, holding, *self._limits(windows)]
        while True:
            answer = self._acquire(keys=self._keys(group), args=[*self._now(), *rest])
            if answer[0] == -1:
                self._rebuild(group, _text(answer[1]), claim, holding)
            elif answer[0] == 0:
                return Permit([], max(0.0, float(answer[1])))
            else:
                return Permit([_text(item) for item in answer[1:]], 0.0)

    def settle(self, group: str, ids: Sequence[str]) -> None:
        """The final replies came now: the windows' lengths count from here."""
        if ids:
            self._end(keys=self._keys(group), args=[*self._now(), 1, *ids])

    def release(self, group: str, ids: Sequence[str]) -> None:
        """Gives unused permits back."""
        if ids:
            self._end(keys=self._keys(group), args=[*self._now(), 0, *ids])

    def abandon(self, group: str, claim: str) -> None:
        """Whatever a dead claim had in flight counts as replied to now."""
        self._abandon(keys=self._keys(group), args=[*self._now(), claim, 1])

    def close(self, group: str, claim: str) -> None:
        """Its worker ended the claim: what is left of it (a rebuild's stand-ins) was never sent."""
        self._abandon(keys=self._keys(group), args=[*self._now(), claim, 0])

    def usage(self, group: str, windows: Sequence[Window]) -> list[int]:
        """How many messages occupy each window."""
        answer = self._usage(keys=self._keys(group), args=[*self._now(), *self._limits(windows)])
        return [int(number) for number in answer]

    def history(self, group: str, ages: Sequence[float]) -> list[int]:
        """How many final replies are younger than each age (seconds): what a forecast goes by."""
        done, now = self._keys(group)[1], self._clock() if self._clock else time.time()
        with self._client.pipeline(transaction=False) as pipe:
            for age in ages:
                pipe.zcount(done, f"({now - age:.6f}", "+inf")
            return [int(number) for number in pipe.execute()]

    def _rebuild(self, group: str, run_id: str, asking: str, holding: int) -> None:
        """From the attempts, and a full block for every open claim; safe when several do it at once.

        The claim that asks has used its block up, but for what it has in flight.
        """
        inflight, done, meta = self._keys(group)
        replied, open_claims = self._remembered(group)
        now = self._clock() if self._clock else time.time()
        lost = {
            f"{claim}:{_LOST}{number}": now
            for claim in open_claims
            for number in range(1, (holding if claim == asking else self._block) + 1)
        }
        fields = {f"lost:{claim}": 1 for claim in open_claims if claim != asking}
        # All at once: another flush in the middle must not leave a half that looks whole.
        with self._client.pipeline(transaction=True) as pipe:
            rest = iter(replied)
            while batch := dict(islice(rest, 1000)):
                pipe.zadd(done, batch)
            if lost:
                pipe.zadd(inflight, lost)
            pipe.hset(meta, mapping={**fields, "run": run_id})
            pipe.execute()
        # Who closed its claim between that reading and this writing left its stand-ins behind.
        for claim in set(open_claims) - set(self._remembered(group)[1]):
            self.close(group, claim)

    def _keys(self, group: str) -> list[str]:
        # The braces keep a group's keys on one node of a cluster.
        base = f"{self._prefix}:{{{group}}}"
        return [f"{base}:inflight", f"{base}:done", f"{base}:meta"]

    def _now(self) -> list[Any]:
        """Wall time (0: Redis has it), machine, its time since it booted (-1: not known)."""
        wall = self._clock() if self._clock else 0
        return [wall, _machine(), self._since_boot() if self._since_boot else -1]

    def _limits(self, windows: Sequence[Window]) -> list[Any]:
        """Five numbers a window: length (0 for a calendar day), amount, and a day's three midnights."""
        now = self._clock() if self._clock else time.time()
        found: list[Any] = []
        for window in windows:
            if window.zone:
                found += [0, window.amount, *_day(now, ZoneInfo(window.zone))]
            else:
                found += [window.length / MICROSECONDS, window.amount, 0, 0, 0]
        return found


def _day(now: float, zone: ZoneInfo) -> list[float]:
    """The midnights at which yesterday, today and tomorrow begin in the zone (epoch seconds)."""
    today = datetime.fromtimestamp(now, zone).date()
    days = (today + timedelta(days=number) for number in (-1, 0, 1))
    return [datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() for day in days]


@lru_cache(maxsize=1)
def _machine() -> str:
    """The same for all processes on this machine until it boots again; else this process alone."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return uuid.uuid4().hex


def _since_boot() -> float:
    """Seconds, also those that the machine slept; no change of the wall clock touches it."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value

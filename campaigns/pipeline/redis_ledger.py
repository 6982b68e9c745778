"""The quota ledger in Redis: one atomic script an operation, for all workers on all machines.

A quota group has three keys: permits in flight, final replies of the longest window, and a hash
with the run_id of the Redis server that wrote them. A script finds another run_id after a restart,
and none after a FLUSHALL; then nothing is granted until the group has been rebuilt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from redis import Redis

from campaigns.mailer.throttle import MICROSECONDS, Permit, Window

# What a message that was in flight when Redis was lost is stored as: "<claim>:lost<n>".
_LOST = "lost"
# Without a reply time to count from, ask again after this (seconds).
_POLL = 0.1

_COMMON = """
local inflight, done, meta = KEYS[1], KEYS[2], KEYS[3]
local function clock()
  local t = redis.call('TIME')
  local now = tonumber(ARGV[1])
  if now == 0 then now = tonumber(t[1]) + tonumber(t[2]) / 1000000 end
  local last = tonumber(redis.call('HGET', meta, 'now') or '0')
  if now < last then now = last end  -- the ledger's time never goes back
  redis.call('HSET', meta, 'now', string.format('%.6f', now))
  return now
end
local function text(n) return string.format('%.6f', n) end
"""

_ACQUIRE = (
    _COMMON
    + """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if redis.call('HGET', meta, 'run') ~= run then return {-1, run} end
local now = clock()
local claim, want, history = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', done, '-inf', text(now - history))
local flying = redis.call('ZCARD', inflight)
local grant, wait = want, 0
for i = 5, #ARGV, 4 do
  local length, amount = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local from, until_ = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local rolling = length > 0
  if rolling then from = now - length end
  local replied = redis.call('ZCOUNT', done, '(' .. text(from), '+inf')
  local free = amount - replied - flying
  if free < grant then grant = free end
  if free <= 0 then
    local needed = 1 - free
    local w = POLL
    if not rolling then
      w = until_ - now
    elseif needed <= replied then
      local oldest = redis.call('ZRANGEBYSCORE', done, '(' .. text(from), '+inf',
                                'WITHSCORES', 'LIMIT', needed - 1, 1)
      w = tonumber(oldest[2]) + length - now
    end
    if w > wait then wait = w end
  end
end
if grant <= 0 then return {0, text(wait)} end
local answer = {grant}
local first = redis.call('HINCRBY', meta, 'serial', grant) - grant
for n = 1, grant do
  local id = claim .. ':' .. (first + n)
  redis.call('ZADD', inflight, text(now), id)
  answer[n + 1] = id
end
return answer
""".replace("POLL", str(_POLL))
)

# A permit that Redis lost gives way to one of the claim's stand-ins of the rebuild.
_END = (
    _COMMON
    + """
local now = clock()
local settled = ARGV[2] == '1'
for i = 3, #ARGV do
  local id = ARGV[i]
  if redis.call('ZREM', inflight, id) == 0 then
    local claim = string.match(id, '^(.*):')
    for n = 1, 64 do
      if redis.call('ZREM', inflight, claim .. ':lost' .. n) == 1 then break end
    end
  end
  if settled then redis.call('ZADD', done, text(now), id) end
end
return 1
"""
)

_ABANDON = (
    _COMMON
    + """
local now = clock()
for _, id in ipairs(redis.call('ZRANGE', inflight, 0, -1)) do
  if string.match(id, '^(.*):') == ARGV[2] then
    redis.call('ZREM', inflight, id)
    if ARGV[3] == '1' then redis.call('ZADD', done, text(now), id) end
  end
end
return 1
"""
)

_USAGE = (
    _COMMON
    + """
local now = clock()
local flying = redis.call('ZCARD', inflight)
local answer = {}
for i = 2, #ARGV, 4 do
  local length, from = tonumber(ARGV[i]), tonumber(ARGV[i + 2])
  if length > 0 then from = now - length end
  answer[#answer + 1] = flying + redis.call('ZCOUNT', done, '(' .. text(from), '+inf')
end
return answer
"""
)

# (history of (started, ended) as epoch seconds, ids of open claims) of a quota group
Remembered = Callable[[str], tuple[Iterable[tuple[str, float]], Sequence[str]]]


class RedisLedger:
    """The same operations as MemoryLedger; `remembered` reads a group's attempts from the database.

    `block`: the most permits that a claim may hold at once, which a rebuild assumes of every open
    one. `clock` (epoch seconds) is for tests; by default the Redis server's time counts.
    """

    def __init__(
        self,
        client: Redis,
        remembered: Remembered,
        *,
        block: int,
        history: float,
        clock: Callable[[], float] | None = None,
        prefix: str = "hongyan:quota",
    ) -> None:
        self._client, self._remembered = client, remembered
        self._block, self._history, self._clock, self._prefix = block, history, clock, prefix
        self._acquire = client.register_script(_ACQUIRE)
        self._end = client.register_script(_END)
        self._abandon = client.register_script(_ABANDON)
        self._usage = client.register_script(_USAGE)

    def acquire(self, group: str, windows: Sequence[Window], claim: str, want: int) -> Permit:
        """Up to `want` permits, or none and the seconds after which there could be one."""
        arguments = [self._now(), claim, want, self._history, *self._limits(windows)]
        while True:
            answer = self._acquire(keys=self._keys(group), args=arguments)
            if answer[0] == -1:
                self._rebuild(group, _text(answer[1]), claim)
            elif answer[0] == 0:
                return Permit([], max(0.0, float(answer[1])))
            else:
                return Permit([_text(item) for item in answer[1:]], 0.0)

    def settle(self, group: str, ids: Sequence[str]) -> None:
        """The final replies came now: the windows' lengths count from here."""
        if ids:
            self._end(keys=self._keys(group), args=[self._now(), 1, *ids])

    def release(self, group: str, ids: Sequence[str]) -> None:
        """Gives unused permits back."""
        if ids:
            self._end(keys=self._keys(group), args=[self._now(), 0, *ids])

    def abandon(self, group: str, claim: str) -> None:
        """Whatever a dead claim had in flight counts as replied to now."""
        self._abandon(keys=self._keys(group), args=[self._now(), claim, 1])

    def close(self, group: str, claim: str) -> None:
        """Its worker ended the claim: what is left of it (a rebuild's stand-ins) was never sent."""
        self._abandon(keys=self._keys(group), args=[self._now(), claim, 0])

    def usage(self, group: str, windows: Sequence[Window]) -> list[int]:
        """How many messages occupy each window."""
        answer = self._usage(keys=self._keys(group), args=[self._now(), *self._limits(windows)])
        return [int(number) for number in answer]

    def _rebuild(self, group: str, run_id: str, asking: str) -> None:
        """From the attempts, and a full block for every open claim; safe when several do it at once.

        The claim that asks has used its block up: it may only have one message in flight.
        """
        inflight, done, meta = self._keys(group)
        replied, open_claims = self._remembered(group)
        batch: dict[str, float] = {}
        for member, ended in replied:
            batch[member] = ended
            if len(batch) >= 1000:
                self._client.zadd(done, batch)
                batch = {}
        if batch:
            self._client.zadd(done, batch)
        lost = {
            f"{claim}:{_LOST}{number}": 0.0
            for claim in open_claims
            for number in range(1, 2 if claim == asking else self._block + 1)
        }
        if lost:
            self._client.zadd(inflight, lost)
        self._client.hset(meta, "run", run_id)

    def _keys(self, group: str) -> list[str]:
        # The braces keep a group's keys on one node of a cluster.
        base = f"{self._prefix}:{{{group}}}"
        return [f"{base}:inflight", f"{base}:done", f"{base}:meta"]

    def _now(self) -> float:
        return self._clock() if self._clock else 0

    def _limits(self, windows: Sequence[Window]) -> list[Any]:
        """Four numbers a window: length (0 for a calendar day), amount, from, until."""
        now = self._clock() if self._clock else time.time()
        found: list[Any] = []
        for window in windows:
            if window.zone:
                found += [0, window.amount, *_day(now, ZoneInfo(window.zone))]
            else:
                found += [window.length / MICROSECONDS, window.amount, 0, 0]
        return found


def _day(now: float, zone: ZoneInfo) -> tuple[float, float]:
    """Midnight before and after `now` in the zone (epoch seconds)."""
    today = datetime.fromtimestamp(now, zone).date()
    midnights = (
        datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
        for day in (today, today + timedelta(days=1))
    )
    start, end = midnights
    return start, end


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value

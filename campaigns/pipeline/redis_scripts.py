"""The scripts of the quota ledger in Redis: each is atomic and sees one group's three keys.

KEYS: permits in flight (a sorted set by the time of the permit), final replies (by their time), and
a hash: the run_id of the server, the ledger's time, the wall's, each machine's, the last serial.
"""

from __future__ import annotations

# Without a reply time to count from, ask again after this (seconds).
_POLL = 0.1
# Permits in flight may come back unused, so the wait is never longer than this (seconds) meanwhile.
_RETURNED = 10
# Nobody holds a permit for so long (seconds): whoever had it is gone, and it counts as replied to.
_STALE = 7200
# How much the two clocks of one step may differ without a jump (seconds): the way to Redis.
_SLACK = 0.05

# ARGV: wall time (0: Redis' own), machine, that machine's time since it booted. The ledger's time goes
# on by the wall clock's steps, but never back, and never further than what passed on the machine that
# asks since it last asked: a clock that jumps frees no quota. To a machine that never asked (it has
# just booted) the wall clock is the truth. `wall` is ahead of the ledger after such a jump.
_COMMON = """
local inflight, done, meta = KEYS[1], KEYS[2], KEYS[3]
local wall = 0
local function text(n) return string.format('%.6f', n) end
local function clock()
  local t = redis.call('TIME')
  wall = tonumber(ARGV[1])
  if wall == 0 then wall = tonumber(t[1]) + tonumber(t[2]) / 1000000 end
  local machine, passed = 'on:' .. ARGV[2], tonumber(ARGV[3])
  local kept = redis.call('HMGET', meta, 'now', 'wall', machine)
  local now, seen = tonumber(kept[1] or wall), tonumber(kept[2] or wall)
  if passed < 0 then
    now = math.max(now, wall)
  else
    local reached = now + math.max(0, wall - seen)
    if kept[3] then
      local asked, at = string.match(kept[3], '(%S+) (%S+)')
      local true_ = tonumber(at) + math.max(0, passed - tonumber(asked))
      reached = math.min(reached, true_ + SLACK)
      if wall < seen - SLACK then reached = true_ - SLACK end  -- set back: it says nothing
      passed = math.max(passed, tonumber(asked))
    end
    now = math.max(now, reached)
    redis.call('HSET', meta, machine, text(passed) .. ' ' .. text(now))
  end
  redis.call('HSET', meta, 'now', text(now), 'wall', text(wall))
  return now
end
""".replace("SLACK", str(_SLACK))

# The calendar day of the earlier of both times; what either of them would place in it counts.
_DAY = """
local function day(now, i)
  local before, midnight, next_ = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local from, until_ = midnight, next_
  if now < midnight then from, until_ = before, midnight end
  return from - math.max(0, wall - now), until_
end
"""

ACQUIRE = (
    _COMMON
    + _DAY
    + """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if redis.call('HGET', meta, 'run') ~= run then return {-1, run} end
local now = clock()
local claim, want, history = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local holding = tonumber(ARGV[7])
redis.call('ZREMRANGEBYSCORE', done, '-inf', text(now - history))
for _, id in ipairs(redis.call('ZRANGEBYSCORE', inflight, '-inf', text(now - STALE))) do
  redis.call('ZREM', inflight, id)
  redis.call('ZADD', done, text(now), id)
end
if wall > now and redis.call('ZCARD', done) + redis.call('ZCARD', inflight) == 0 then
  now = wall  -- nothing is counted, so nothing can be freed too early
  redis.call('HSET', meta, 'now', text(now))
end
-- Who asks knows how many messages he has in flight at most: no stand-ins for more.
if redis.call('HDEL', meta, 'lost:' .. claim) == 1 then
  for n = holding + 1, 64 do redis.call('ZREM', inflight, claim .. ':lost' .. n) end
end
local flying = redis.call('ZCARD', inflight)
local grant, wait = want, 0
for i = 8, #ARGV, 5 do
  local length, amount = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local rolling = length > 0
  local from, until_ = now - length, 0
  if not rolling then from, until_ = day(now, i + 2) end
  local replied = redis.call('ZCOUNT', done, '(' .. text(from), '+inf')
  local free = amount - replied - flying
  if free < grant then grant = free end
  if free <= 0 then
    local needed = 1 - free
    local w = POLL
    if not rolling then
      w = until_ - math.min(now, wall)
    elseif needed <= replied then
      local oldest = redis.call('ZRANGEBYSCORE', done, '(' .. text(from), '+inf',
                                'WITHSCORES', 'LIMIT', needed - 1, 1)
      w = tonumber(oldest[2]) + length - now
    end
    if flying > 0 and w > RETURNED then w = RETURNED end
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
    .replace("STALE", str(_STALE))
    .replace("RETURNED", str(_RETURNED))
)

# A permit that Redis lost gives way to one of the claim's stand-ins of the rebuild.
END = (
    _COMMON
    + """
local now = clock()
local settled = ARGV[4] == '1'
for i = 5, #ARGV do
  local id = ARGV[i]
  if redis.call('ZREM', inflight, id) == 0 then
    local claim = string.match(id, '^(.*):')
    for n = 64, 1, -1 do  -- from above: who asks next keeps those from 1 to what he still has
      if redis.call('ZREM', inflight, claim .. ':lost' .. n) == 1 then break end
    end
  end
  if settled then redis.call('ZADD', done, text(now), id) end
end
return 1
"""
)

ABANDON = (
    _COMMON
    + """
local now = clock()
for _, id in ipairs(redis.call('ZRANGE', inflight, 0, -1)) do
  if string.match(id, '^(.*):') == ARGV[4] then
    redis.call('ZREM', inflight, id)
    if ARGV[5] == '1' then redis.call('ZADD', done, text(now), id) end
  end
end
return 1
"""
)

USAGE = (
    _COMMON
    + _DAY
    + """
local now = clock()
local flying = redis.call('ZCARD', inflight)
local answer = {}
for i = 4, #ARGV, 5 do
  local length = tonumber(ARGV[i])
  local from = now - length
  if length == 0 then from = day(now, i + 2) end
  answer[#answer + 1] = flying + redis.call('ZCOUNT', done, '(' .. text(from), '+inf')
end
return answer
"""
)

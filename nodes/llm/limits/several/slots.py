"""The requests that several processes have open at one endpoint, counted on a Redis server.

The rules are those of `nodes.llm.limits.limiter`, here in Lua, since what several processes read and write must change
in one step. Times are the server's own, so that the clocks of machines may differ. A request holds a lease, which its
process renews; the leases of a process that was killed end by themselves. Processes take turns: a free place is left
for the one that has waited longer, as long as it still asks.
"""

from typing import Any, NamedTuple

from nodes.llm.limits.limiter import MAX_SHUT_S, MIN_FIRST_LIMIT
from nodes.llm.limits.several.link import Link

LEASE_S = 10.0
"""Seconds after its last renewal at which a lease ends."""
RENEW_S = 3.0
"""Seconds between two renewals."""
WAIT_S = 0.5
"""Seconds after which a process that has not asked again waits no more."""
FIRST_ROOM = 64
"""Requests open at once at an endpoint that has answered none. Each that succeeds makes room for one more, until one is
refused: workers that start together would else send hundreds before the first of them is."""
LIMITER_KEPT_S = 3_600.0
"""Seconds that a limit is remembered when nobody asks."""

_SCRIPT = """
local asked = cjson.decode(ARGV[1])
local leases, seen, turns, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = {}
local fields = redis.call('HGETALL', state)
for at = 1, #fields, 2 do held[fields[at]] = fields[at + 1] end
local number, since = tonumber(held.number or 0), tonumber(held.since or 0)
local limit = tonumber(held.limit or asked.limit)
if limit < 0 then limit = math.huge end
local room = tonumber(held.room or asked.room)
local reason, cause = held.reason or '', held.cause or ''
local shut, shut_asked = tonumber(held.shut or 0), tonumber(held.shut_asked or 0)

redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
for _, process in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', now)) do
  redis.call('ZREM', seen, process)
  redis.call('ZREM', turns, process)
end
local process, mine = asked.process, {}
if asked.all then
  -- What was lent in an answer that never arrived is held by nobody.
  for _, back in ipairs(asked.back) do mine[back.lease] = true end
  for _, lease in ipairs(asked.renew) do
    mine[lease] = true
    redis.call('ZADD', leases, now + asked.lease_ms, lease)
  end
  for _, lease in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
    if lease:sub(1, #process + 1) == process .. ':' and not mine[lease] then redis.call('ZREM', leases, lease) end
  end
end

local open = redis.call('ZCARD', leases)
for _, back in ipairs(asked.back) do
  if back.ok and limit == math.huge then room = room + 1 end
  if back.overload ~= '' then
    if back.number <= since then
      limit = math.min(limit, math.max(asked.first, open - 1))
    else
      local lowest = limit == math.huge and asked.first or 1
      limit = math.max(lowest, math.floor(math.min(limit, open) / 2))
      reason, cause, since = back.overload, back.overload, number
    end
  elseif back.ok and limit < math.huge and open >= math.floor(limit) and back.number > since then
    local before = math.floor(limit)
    limit = limit + 1 / limit
    if math.floor(limit) > before then reason = 'rising again after: ' .. cause end
  end
  if back.wait_ms > 0 then
    shut_asked = math.max(now < shut and shut_asked or now, now + back.wait_ms)
    shut = math.max(shut, now + math.min(back.wait_ms, asked.shut_ms))
  end
  open = open - redis.call('ZREM', leases, back.lease)
end

local granted, before = {}, 0
if asked.want > 0 then
  redis.call('ZADD', seen, now + asked.wait_ms, process)
  redis.call('ZADD', turns, 'NX', number, process)
  local bound = math.min(limit, asked.slots)
  if bound >= asked.unlimited then bound = room end
  local free = now < shut and 0 or bound - open
  local waiting = redis.call('ZCARD', turns)
  before = redis.call('ZRANK', turns, process)
  local share = math.max(free - before >= 1 and 1 or 0, math.floor(free / waiting))
  for _ = 1, math.min(asked.want, share) do
    number = number + 1
    redis.call('ZADD', leases, now + asked.lease_ms, process .. ':' .. number)
    granted[#granted + 1] = number
  end
  open = open + #granted
  if #granted > 0 then redis.call('ZADD', turns, number, process) end
end
if asked.want <= #granted then
  redis.call('ZREM', seen, process)
  redis.call('ZREM', turns, process)
end

local kept = limit < math.huge and limit or -1
redis.call('HSET', state, 'number', number, 'room', room, 'since', since, 'limit', tostring(kept), 'reason', reason,
  'cause', cause, 'shut', string.format('%.0f', shut), 'shut_asked', string.format('%.0f', shut_asked))
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, asked.kept_ms) end
return cjson.encode({
  granted = granted, open = open, limit = kept, reason = reason, before = before,
  shut_ms = now < shut and shut_asked - now or 0, opens_ms = math.max(0, shut - now),
})
"""


class Back(NamedTuple):
    """A lease that is given back, with what its request has shown."""

    lease: str
    number: int
    ok: bool = False
    overload: str = ""
    wait: float = 0.0


class Seen(NamedTuple):
    """What the server answered; times in seconds."""

    granted: list[int]
    """Numbers of the requests that may be sent."""
    open: int
    limit: float | None
    reason: str
    shut: float
    """How long the endpoint asked to be left alone; 0 once somebody may find out whether it still does."""
    opens: float
    """When somebody may."""
    before: int
    """How many processes have waited longer."""


async def exchange(
    link: Link,
    key: str,
    process: str,
    *,
    want: int = 0,
    back: list[Back],
    renew: list[str] | None,
    slots: int | None,
    limit: float | None,
) -> Seen:
    """Give leases back, renew others, and ask for new ones, in one step.

    Args:
        link: The Redis server.
        key: What the endpoint is known by.
        process: Who asks.
        want: How many leases are wanted.
        back: Those that are given back.
        renew: All that are still held, if it is time to renew them.
        slots: How many requests the endpoint works on at once, where it tells.
        limit: The limit that was seen last, should the server have forgotten it.

    Raises:
        LinkLost: The server cannot be asked.
    """
    said: dict[str, Any] = await link.run(
        _SCRIPT,
        [f"apr:slots:{{{key}}}:{part}" for part in ("leases", "seen", "turns", "state")],
        process=process,
        want=want,
        renew=renew or [],
        all=renew is not None,
        back=[
            {"lease": b.lease, "number": b.number, "ok": b.ok, "overload": b.overload, "wait_ms": round(b.wait * 1000)}
            for b in back
        ],
        slots=slots or _UNLIMITED,
        unlimited=_UNLIMITED,
        limit=-1 if limit is None else limit,
        first=MIN_FIRST_LIMIT,
        room=FIRST_ROOM,
        **{f"{name}_ms": round(seconds * 1000) for name, seconds in _TIMES.items()},
    )
    known = None if said["limit"] < 0 else float(said["limit"])
    # Lua writes an empty list as an object.
    granted, shut, opens = list(said["granted"] or ()), said["shut_ms"] / 1000, said["opens_ms"] / 1000
    return Seen(granted, said["open"], known, said["reason"], shut, opens, said["before"])


_UNLIMITED = 1e15
_TIMES = {"lease": LEASE_S, "wait": WAIT_S, "shut": MAX_SHUT_S, "kept": LIMITER_KEPT_S}

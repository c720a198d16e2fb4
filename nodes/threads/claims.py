"""One call for equal threads of several processes: who asks first claims the key on the Redis server."""

import asyncio
import json
import math
import random
import uuid
from typing import Any

from nodes.llm.limits.several.link import Link, LinkLost, shared_link, start_apart
from nodes.shared.run import now

LEASE_S = 10.0
"""Seconds after its last renewal at which a claim ends, should its process have been killed."""
RENEW_S = 3.0
"""Seconds between two renewals."""
LANDED_S = 5.0
"""Seconds that a result lies there for those who wait; others find it in the cache once its run has ended."""
MIN_POLL_S, MAX_POLL_S = 0.02, 0.06
"""Seconds between two looks at a key that another process has claimed; by chance, so that they do not come in step."""

# The value is `?` and whose claim it is, then `=` and what was found out.
_CLAIM = """
local asked = cjson.decode(ARGV[1])
local held = redis.call('GET', KEYS[1])
if held and held:sub(1, 1) == '=' then return cjson.encode({landed = held:sub(2)}) end
if held and held ~= '?' .. asked.who then return cjson.encode({mine = false}) end
redis.call('SET', KEYS[1], '?' .. asked.who, 'PX', asked.lease_ms)
return cjson.encode({mine = true})
"""
_LAND = """
local asked = cjson.decode(ARGV[1])
if redis.call('GET', KEYS[1]) == '?' .. asked.who then
  if asked.found ~= '' then
    redis.call('SET', KEYS[1], '=' .. asked.found, 'PX', asked.landed_ms)
  else
    redis.call('DEL', KEYS[1])
  end
end
return '{}'
"""


class Claim:
    """The right to find out what a key stands for, renewed until it lands."""

    def __init__(self, link: Link, key: str, who: str) -> None:
        """Renew it from now on."""
        self._link, self._key, self._who = link, key, who
        self._task = start_apart(self._renew())

    def land(self, found: dict[str, Any] | None) -> None:
        """Tell the other processes what was found out; with nothing the next of them tries."""
        self._task.cancel()
        text = "" if found is None else json.dumps(found)
        self._link.send(_LAND, [self._key], who=self._who, found=text, landed_ms=round(LANDED_S * 1000))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self._link.run(_CLAIM, [self._key], who=self._who, lease_ms=round(LEASE_S * 1000))
            except LinkLost:
                return


async def claim(key: str, until: float) -> tuple[Any, Claim | None]:
    """Claim a key, or wait for what the process finds out that has claimed it.

    Args:
        key: What a thread's call depends on, hashed.
        until: Seconds since the epoch at which to wait no longer.

    Returns:
        What another process found out; or the claim, which must land. Neither if the wait or the server was in vain.
    """
    link, who = await shared_link(), uuid.uuid4().hex
    if link is None:
        return None, None
    place = f"apr:flight:{key}"
    while True:
        try:
            said = await link.run(_CLAIM, [place], who=who, lease_ms=round(LEASE_S * 1000))
        except LinkLost:
            return None, None
        if said.get("landed"):
            return _load(said["landed"]), None
        if said["mine"]:
            return None, Claim(link, place, who)
        if not math.isinf(until) and now() >= until:
            return None, None
        await asyncio.sleep(random.uniform(MIN_POLL_S, MAX_POLL_S))


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

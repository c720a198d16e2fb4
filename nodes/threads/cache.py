"""Results of threads, kept for later runs.

What is kept is a result that stood at the end of its run, under a hash of all that its call depends on. Nothing that a
cache does can fail a run: a fault costs a warning and the reuse.
"""

import asyncio
import hashlib
import json
import logging
import math
import threading
import time
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from langchain_core.messages import BaseMessage
from langgraph.cache.base import BaseCache
from langgraph.config import get_config
from pydantic import Field, ValidationError
from tenacity import AsyncRetrying

from nodes.llm.replies.finish import state_of
from nodes.settings import Seat, Settings
from nodes.shared.environment import environment_base_url, environment_model_file, environment_workers
from nodes.shared.knobs.solvers import SolverName
from nodes.shared.plain_json import PlainJson
from nodes.shared.record import Record
from nodes.shared.run import now
from nodes.threads.cache_store import LOCKED_RETRY, NAMESPACE, CacheError, name_place, open_cache, place
from nodes.threads.results import ThreadResult
from nodes.tools.toolbox import uses_tools

if TYPE_CHECKING:
    from nodes.threads.claims import Claim

CACHE = "__apr_cache"
"""Where a compiled graph's configuration holds a cache of the caller's own."""
CACHE_REST_S = 60.0
"""Seconds that a cache is left alone after a fault, since waiting for a locked file takes seconds each time."""

_log = logging.getLogger(__name__)


class Kept(Record):
    """What is kept of a thread's result."""

    answer: str
    answers: list[str] = Field(default_factory=list)
    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    model: str = ""
    solver: SolverName = "chain"


Flight = asyncio.Future[Kept | None]


class ThreadCache:
    """A LangGraph cache of results."""

    def __init__(self, cache: BaseCache[Any], name: str, *, shared: bool = False) -> None:
        """Keep results in a cache; `name` stands in warnings, `shared` tells whether all workers find it there."""
        self.cache, self.name, self.shared = cache, name, shared
        if not isinstance(cache.serde, PlainJson):
            # A copy, since the caller's own may hold more than results of ours; both share what lies below.
            self.cache = copy(cache)
            self.cache.serde = PlainJson()
        self._rests_until = 0.0
        self._flights: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Flight]] = WeakKeyDictionary()
        self._claims: dict[Flight, Claim] = {}

    async def find(self, key: str, until: float = math.inf) -> tuple[Kept | None, Flight | None]:
        """Return what is kept under a key, or what another thread is about to find out.

        Args:
            key: What `key_of` told.
            until: Seconds since the epoch at which to stop waiting for another thread.

        Returns:
            What was found, if anything; and if nothing, the flight of the one who finds it out now, for all who ask
            meanwhile: it must be landed. After waiting in vain there is neither.
        """
        flights = self._flights.setdefault(asyncio.get_running_loop(), {})
        try:
            async with asyncio.timeout(None if math.isinf(until) else max(0.0, until - now())):
                while flight := flights.get(key):
                    if found := await asyncio.shield(flight):
                        return found, None
        except TimeoutError:
            return None, None
        flight = flights[key] = asyncio.get_running_loop().create_future()
        try:
            found = await self._get(key) or await self._ask_others(key, flight, until)
        except BaseException:
            self.land(key, flight, None)
            raise
        if found:
            self.land(key, flight, found)
        return found, None if found else flight

    async def _ask_others(self, key: str, flight: Flight, until: float) -> Kept | None:
        """Claim a key before other processes, or wait for what one of them finds out."""
        if not self.shared or environment_workers() == 1:
            return None
        from nodes.threads.claims import claim

        told, mine = await claim(key, until)
        if mine:
            self._claims[flight] = mine
        try:
            return None if told is None else Kept.model_validate(told)
        except ValidationError:
            return None

    def land(self, key: str, flight: Flight, found: Kept | None) -> None:
        """Tell those who wait for a key what was found out; with `None` the next of them tries."""
        self._flights.setdefault(asyncio.get_running_loop(), {}).pop(key, None)
        flight.set_result(found)
        if mine := self._claims.pop(flight, None):
            mine.land(found.model_dump() if found else None)

    async def put(self, found: Mapping[str, Kept], seconds: float | None) -> None:
        """Keep results by their keys, for so many seconds."""
        if not found or self._is_resting():
            return
        lasting = None if seconds is None else max(1, round(seconds))
        try:
            pairs = {(NAMESPACE, key): (kept.model_dump(), lasting) for key, kept in found.items()}
            await AsyncRetrying(**LOCKED_RETRY)(self.cache.aset, pairs)
        except Exception as error:
            self._complain("written", error)

    async def _get(self, key: str) -> Kept | None:
        if self._is_resting():
            return None
        try:
            values: dict[Any, Any] = await AsyncRetrying(**LOCKED_RETRY)(self.cache.aget, [(NAMESPACE, key)])
        except Exception as error:
            self._complain("read", error)
            return None
        try:
            kept = Kept.model_validate(values[NAMESPACE, key]) if (NAMESPACE, key) in values else None
        except ValidationError:
            return None  # of another version
        # Earlier versions kept what some servers had cut.
        return kept if kept and state_of(kept.finish_reason) == "whole" else None

    def _is_resting(self) -> bool:
        return time.monotonic() < self._rests_until

    def _complain(self, what: str, error: Exception) -> None:
        self._rests_until = time.monotonic() + CACHE_REST_S
        _log.warning("the thread cache %s cannot be %s, threads are asked anew: %s", self.name, what, error)


_opened: dict[str, ThreadCache | None] = {}
_opening = threading.Lock()


def _open_once(where: str) -> None:
    with _opening:
        if where not in _opened:
            _opened[where] = _open(where)


def _open(where: str) -> ThreadCache | None:
    try:
        return ThreadCache(open_cache(where), name_place(where), shared="://" in where)
    except CacheError as error:
        _log.warning("%s; threads are asked anew", error)
        return None


async def thread_cache(settings: Settings) -> ThreadCache | None:
    """Return the cache of this run: the graph's own, else, where the settings ask for one, the user's; else none.

    What tools return may change, so that results with tools are not kept.
    """
    if uses_tools(settings):
        return None
    own = get_config().get("configurable", {}).get(CACHE)
    if own is not None:
        if own not in _own:
            _own[own] = ThreadCache(own, type(own).__name__)
        return _own[own]
    if not settings.cache:
        return None
    where = place()
    if where not in _opened:
        await asyncio.to_thread(_open_once, where)
    return _opened[where]


_own: WeakKeyDictionary[BaseCache[Any], ThreadCache] = WeakKeyDictionary()


def key_of(
    messages: list[BaseMessage],
    settings: Settings,
    prompt: str,
    solver: Sequence[str | int] = (),
    *,
    easy: bool = False,
) -> str:
    """Hash all that a thread's call depends on.

    Args:
        messages: What is sent: rules and examples, instructions, shared context, sources and the subquestion.
        settings: The run's settings: model, where it is, how it samples.
        prompt: Name and version of the prompt.
        solver: What else a vote or a search depends on; nothing for a chain.
        easy: Whether some of it is asked of `easy_model`.
    """
    asked: dict[str, Any] = {
        "messages": [[message.type, message.content] for message in messages],
        "model": [*_place(settings, "solve"), settings.fallback_model],
        "sampling": [settings.temperature, settings.max_tokens],
        "prompt": prompt,
    }
    if more := {
        name: value for name in ("top_p", "seed", "extra_body") if (value := getattr(settings, name)) is not None
    }:
        asked["more"] = more
    if elsewhere := settings.fallback_base_url:
        asked["fallback"] = elsewhere
    if effort := settings.effort_for("solve"):
        asked["effort"] = effort
    if solver:
        asked["solver"] = list(solver)
    if easy:
        asked["easy"] = _place(settings, "easy")
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _place(settings: Settings, seat: Seat) -> list[str | None]:
    """Say which model answers, and where."""
    model = settings.model_for(seat)
    addresses = ",".join(settings.servers_for(seat).addresses) or environment_base_url(model.partition(":")[0])
    return [model, str(environment_model_file() or "") if model == "local" else addresses]


def make_kept(result: ThreadResult) -> Kept | None:
    """Return what is to be kept of a result: nothing of what failed, was refuted or was cut in any round."""
    if result.status != "answered" or "cut" in result.marks:
        return None
    return Kept(**{name: result[name] for name in Kept.model_fields})


async def remember(threads: Sequence[ThreadResult], settings: Settings) -> None:
    """Keep the results that stand at the end of a run and are new."""
    new = [thread for thread in threads if thread.cache_key and not thread.cached]
    cache = await thread_cache(settings) if new else None
    if cache:
        kept = {thread.cache_key: make_kept(thread) for thread in new}
        await cache.put({key: found for key, found in kept.items() if found}, settings.cache_ttl)

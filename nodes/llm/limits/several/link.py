"""The Redis server on which several processes count what they share: one link an event loop."""

import asyncio
import contextvars
import json
import logging
import math
import time
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from nodes.llm.endpoints.recent import Recent
from nodes.shared.environment import environment_redis_url, environment_workers
from nodes.shared.install import how_to_install

SERVER_TIMEOUT_S = 5.0
"""Seconds to wait for the server; well under a lease, which would end meanwhile."""
MAX_LIMITERS = 1_000
"""Endpoints whose limiters are held."""
LINK_REST_S = 30.0
"""Seconds that the server is left alone after a fault."""

_log = logging.getLogger(__name__)


class Sharer(Protocol):
    """What shares something over a link."""

    async def leave(self) -> None:
        """Give everything back, as the loop ends."""


class LinkLost(Exception):
    """The server cannot be asked at present."""


class Link:
    """What one event loop asks the server.

    Attributes:
        workers: How many processes share.
        name: The server's address, without name and password.
        limiters: Those of endpoints, by what these are known by.
    """

    def __init__(self, url: str, workers: int) -> None:
        """Connect on first use.

        Raises:
            ModuleNotFoundError: The extra `redis` is missing.
            ValueError: The address is none.
        """
        # On use: an extra.
        import redis.asyncio
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        self.workers, self.name = workers, _name(url)
        self._redis: Any = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=SERVER_TIMEOUT_S,
            socket_connect_timeout=SERVER_TIMEOUT_S,
            # Once more on a new connection, should the server have closed one that was idle.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )
        self._faults: tuple[type[Exception], ...] = (redis.RedisError, OSError, ValueError)
        self._scripts: dict[str, Any] = {}
        self._rests_until, self._told = -math.inf, False
        self._sending: dict[asyncio.Task[None], tuple[str, list[str], dict[str, Any]]] = {}
        self.limiters: Recent[str, Sharer] = Recent(MAX_LIMITERS)

    @property
    def up(self) -> bool:
        """Whether the server may be asked: it has not failed of late."""
        return time.monotonic() >= self._rests_until

    async def run(self, script: str, keys: list[str], **asked: Any) -> Any:
        """Run a script that takes one JSON object and returns another.

        Raises:
            LinkLost: The server cannot be asked.
        """
        if not self.up:
            raise LinkLost
        if script not in self._scripts:
            self._scripts[script] = self._redis.register_script(script)
        try:
            said = json.loads(await self._scripts[script](keys=keys, args=[json.dumps(asked)]))
        except self._faults as error:
            self._rest(error)
            raise LinkLost from error
        if self._told:
            self._told = False
            _log.warning("%s answers again: what %d workers share is counted there", self.name, self.workers)
        return said

    def _rest(self, error: Exception) -> None:
        self._rests_until = time.monotonic() + LINK_REST_S
        if not self._told:
            self._told = True
            _log.warning(
                "%s cannot be asked (%s), so this process keeps to 1/%d of what an endpoint and a run may use",
                *(self.name, type(error).__name__, self.workers),
            )

    def send(self, script: str, keys: list[str], **asked: Any) -> None:
        """Run a script without waiting for it; what it fails to tell is lost."""
        task = start_apart(self._send(script, keys, asked))
        self._sending[task] = script, keys, asked
        # What the end of the loop cancels is sent as the link closes.
        task.add_done_callback(lambda done: done.cancelled() or self._sending.pop(done))

    async def _send(self, script: str, keys: list[str], asked: dict[str, Any]) -> None:
        try:
            await self.run(script, keys, **asked)
        except LinkLost:
            pass

    async def close(self) -> None:
        """Give back what is held, and close the connections."""
        unsent = [self._send(*what) for what in self._sending.values()]
        leaving = [one.leave() for one in self.limiters.values()]
        await asyncio.gather(*unsent, *leaving, return_exceptions=True)
        await self._redis.aclose()


def start_apart(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """Begin work in the background that is for several runs, without what belongs to the present one."""
    return asyncio.create_task(work, context=contextvars.Context())


def _name(url: str) -> str:
    """Name a server without its password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


_links: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Link | None, AsyncGenerator[None, None]]] = (
    WeakKeyDictionary()
)
_said: set[str] = set()


async def shared_link() -> Link | None:
    """Return the link of this event loop; nothing where the process is alone, or is to keep to its share.

    Raises:
        ValueError: `APR_WORKERS` is no number of workers.
    """
    workers = environment_workers()
    if workers == 1:
        return None
    loop = asyncio.get_running_loop()
    if loop not in _links:
        link = _open(environment_redis_url(), workers)
        closer = _close_with_loop(loop, link)
        _links[loop] = link, closer
        await anext(closer)
    return _links[loop][0]


def _open(url: str | None, workers: int) -> Link | None:
    share = f"so this process keeps to 1/{workers} of what an endpoint and a run may use"
    if url is None:
        _say(f"APR_WORKERS is {workers} and APR_REDIS_URL is not set, {share}")
        return None
    try:
        return Link(url, workers)
    except ModuleNotFoundError:
        _say(f"APR_REDIS_URL needs an extra ({how_to_install('redis')}), {share}")
    except ValueError as error:
        _say(f"APR_REDIS_URL is no address of a Redis server ({type(error).__name__}), {share}")
    return None


def _say(warning: str) -> None:
    """Warn once a process."""
    if warning not in _said:
        _said.add(warning)
        _log.warning("%s", warning)


async def _close_with_loop(loop: asyncio.AbstractEventLoop, link: Link | None) -> AsyncGenerator[None, None]:
    """Close the link when the loop shuts its asynchronous generators down, as `asyncio.run` does."""
    try:
        yield
    finally:
        _links.pop(loop, None)
        if link:
            await link.close()

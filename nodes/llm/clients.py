"""One client per endpoint for the whole process."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import httpx2
from langchain_core.language_models import BaseChatModel

from nodes.llm.embedded.slots import Purpose, Slots
from nodes.llm.endpoints.endpoint import Endpoint, Learnt
from nodes.llm.endpoints.kept_pace import KeptPace
from nodes.llm.endpoints.pace import Shown
from nodes.llm.endpoints.recent import Recent
from nodes.llm.endpoints.usage import Call
from nodes.llm.limits.limiter import Limiter, Turn
from nodes.llm.replies.errors import ConfigurationError, tell_overload, without_key
from nodes.llm.servers.any_chat import AnyChat
from nodes.llm.servers.chat import CarefulOpenAI, deep_seek
from nodes.llm.servers.connections import Connection, Connections, blocking_client, open_connection
from nodes.llm.servers.facts import ask_server
from nodes.llm.servers.options import Form, form_request, wishes
from nodes.llm.task import Task
from nodes.settings import Settings
from nodes.shared.environment import environment_workers
from nodes.shared.providers.known import DEFAULT_BASE_URL

if TYPE_CHECKING:
    from nodes.llm.limits.several.limiter import SharedLimiter

MAX_CLIENTS = 32
"""Endpoints whose clients stay open when nobody uses them; one takes some 1.5 MB."""
MAX_LEARNT = 1_000
"""Endpoints of which the process remembers what it has learnt."""


@dataclass
class Client:
    """One endpoint's open client."""

    endpoint: Endpoint
    connection: Connection
    chat: BaseChatModel | AnyChat
    learnt: Learnt
    limiter: "Limiter | SharedLimiter"
    local: Slots | None = None
    """The embedded server's slots, if it is the one."""

    @property
    def slots(self) -> int | None:
        """How many requests the server works on at once, where it is known."""
        return self.endpoint.slots or self.learnt.slots

    async def prepare(self, prompt: str) -> None:
        """Have what never varies of a prompt read in already, where the server can keep it."""
        if self.local:
            await self.local.prepare(prompt)

    def place(self, purpose: Purpose) -> AbstractAsyncContextManager[dict[str, Any]]:
        """Choose where the server works on a request; yields what its body must say of that."""
        return self.local.hold(purpose) if self.local else nullcontext({})

    def form(self, settings: Settings, task: Task, extra: Mapping[str, Any]) -> Form:
        """Say how a request is put here, with more fields for its body."""
        takes = self.chat.takes if isinstance(self.chat, AnyChat) else None
        wished = wishes(self.endpoint, settings, task.role, varied=task.varied)
        return form_request(wished, self.learnt.refused, self.chat.profile, extra, takes)

    def take_back(self, turn: Turn, call: Call, asked_to_wait: float | None) -> None:
        """Take the turn of a call back, with what the call has shown.

        Args:
            turn: The turn.
            call: The call that had it.
            asked_to_wait: Seconds that the server asked to be left alone.
        """
        if call.status == "ok":
            self.learnt.shown.see(Shown.by(call))
        overload = tell_overload(call.status, call.latency_s)
        self.limiter.release(
            turn,
            tokens=call.usage.total,
            ok=call.status == "ok",
            overload=overload,
            wait=asked_to_wait if overload else None,
        )

    def window(self, settings: Settings) -> tuple[int | None, str]:
        """Return the context window in tokens, where it is known, and who told it."""
        profile = (self.chat.profile or {}).get("max_input_tokens")
        known = {"server": self.learnt.window, "profile": profile, "setting": settings.context_window}
        return next(((window, source) for source, window in known.items() if window), (None, ""))


@dataclass
class _Pool:
    """The clients of one event loop; connections cannot be shared between loops."""

    connections: Connections = field(default_factory=WeakValueDictionary)
    clients: Recent[Endpoint, asyncio.Task[Client]] = field(default_factory=lambda: Recent(MAX_CLIENTS))
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    closer: AsyncGenerator[None, None] | None = None


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = WeakKeyDictionary()
_learnt: Recent[Endpoint, Learnt] = Recent(MAX_LEARNT)
_limiters: Recent[Endpoint | str, Limiter] = Recent(MAX_LEARNT)
"""By endpoint, since rate limits are a model's; by address where a server tells its slots, which its models share."""


async def clients_of(endpoints: Iterable[Endpoint]) -> list[Client]:
    """Return the process's one client for each endpoint, opening them side by side on first use.

    Raises:
        ConfigurationError: A file of certificates is missing, or the embedded server cannot start.
    """
    pool = await _pool()
    tasks = [_begin_opening(pool, endpoint) for endpoint in endpoints]
    # Shielded: a run that is cancelled meanwhile must not break what others wait for.
    return [task.result() if task.done() else await asyncio.shield(task) for task in tasks]


def _begin_opening(pool: _Pool, endpoint: Endpoint) -> asyncio.Task[Client]:
    task = pool.clients.get(endpoint)
    if task and task.done() and (task.cancelled() or task.exception()):
        del pool.clients[endpoint]
    return pool.clients.get_or_make(endpoint, lambda: _open_client(pool, endpoint))


def _open_client(pool: _Pool, endpoint: Endpoint) -> asyncio.Task[Client]:
    task = asyncio.create_task(_open(pool, endpoint))
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


async def _open(pool: _Pool, endpoint: Endpoint) -> Client:
    async with pool.opening:
        # In a thread: building a client reads certificates from disk.
        try:
            connection = await open_connection(pool.connections, endpoint)
            chat = await asyncio.to_thread(_chat_model, endpoint, connection.http)
        except ConfigurationError:
            raise
        except (OSError, ValueError, httpx2.InvalidURL) as error:
            raise ConfigurationError(
                f"no connection to {endpoint.address!r} can be set up ({type(error).__name__}: "
                f"{without_key(str(error), endpoint.api_key)}); check `base_url`, and SSL_CERT_FILE, if it is set"
            ) from None
    learnt = _learnt.get_or_make(endpoint, lambda: Learnt(KeptPace(endpoint.fingerprint)))
    await learnt.shown.recall()
    if isinstance(chat, AnyChat):
        learnt.ladder.top, learnt.asked = chat.top, True
    if endpoint.base_url not in DEFAULT_BASE_URL.values() and not learnt.asked:
        learnt.asked, learnt.slots, learnt.window = await ask_server(endpoint, connection.http)
    limiter = await _limiter(endpoint, endpoint.slots or learnt.slots)
    return Client(endpoint, connection, chat, learnt, limiter, await _local_slots(endpoint))


async def _limiter(endpoint: Endpoint, slots: int | None) -> "Limiter | SharedLimiter":
    """Return what limits the requests to an endpoint: of this process, or of all workers together."""
    workers = 1 if endpoint.provider == "local" else environment_workers()
    limiter: Limiter | SharedLimiter | None = None
    if workers > 1:
        from nodes.llm.limits.several.choose import shared_limiter

        limiter = await shared_limiter(endpoint, by_slots=slots is not None)
    if limiter is None:
        limiter = _limiters.get_or_make(endpoint.base_url if slots else endpoint, Limiter)
        limiter.workers = workers
    limiter.slots = slots
    return limiter


async def _local_slots(endpoint: Endpoint) -> Slots | None:
    if endpoint.provider != "local":
        return None
    from nodes.llm.embedded import server as local

    return (await local.running_server()).slots


async def _pool() -> _Pool:
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = _Pool()
        pool.closer = _close_with_loop(pool)
        await anext(pool.closer)
    return pool


async def _close_with_loop(pool: _Pool) -> AsyncGenerator[None, None]:
    """Close the clients when the loop shuts its asynchronous generators down, as `asyncio.run` does."""
    try:
        yield
    finally:
        for task in pool.clients.values():
            if task.done() and not task.cancelled() and not task.exception():
                await task.result().learnt.shown.keep()
        for connection in list(pool.connections.values()):
            await connection.http.aclose()
        pool.clients.clear()


def _chat_model(endpoint: Endpoint, http: httpx2.AsyncClient) -> BaseChatModel | AnyChat:
    if endpoint.own:
        return AnyChat(endpoint.own.chat, endpoint.api_key)
    if not endpoint.as_openai:
        # On use: LangChain's packages are the user's to install.
        from nodes.llm.servers.integrations import make_chat

        return make_chat(endpoint)
    common: dict[str, Any] = {
        "model": endpoint.name,
        "base_url": endpoint.base_url,
        "api_key": endpoint.api_key,
        "http_async_client": http,
        "http_client": blocking_client(endpoint),
        # Both clients see to their connections; else a warning about proxies stands on standard error.
        "http_socket_options": (),
        # The one retry policy is ours (nodes.llm.caller); a second one below it would multiply.
        "max_retries": 0,
        # The HTTP client above sees to proxies; together with it OPENAI_PROXY would be refused.
        "openai_proxy": None,
        "cache": False,
    }
    if endpoint.provider == "deepseek":
        return deep_seek()(**common)
    # The embedded server notices that a client has gone only while it streams; else a thread that ran out of
    # time would keep its slot until its reply is complete. Elsewhere LangChain chooses; `False` would forbid it to.
    always = {"streaming": True} if endpoint.provider == "local" else {}
    return CarefulOpenAI(**common, **always, use_responses_api=False)

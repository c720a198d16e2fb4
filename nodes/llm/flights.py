"""Calls that begin before it is certain that they are needed, and who takes them over.

Speculative execution: what is likely to be asked next is asked already, and dropped should it not be needed (F. W.
Burton, "Speculative Computation, Parallelism, and Functional Programming", IEEE Transactions on Computers C-34, 1985).
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from hashlib import sha256
from typing import Any, TypeVar

from langchain_core.messages import BaseMessage

from nodes.llm.caller import Caller
from nodes.llm.endpoints.recent import Recent
from nodes.llm.endpoints.usage import Call
from nodes.llm.replies.reply import Reply

T = TypeVar("T")

LEASH_S = 0.9
"""Seconds after the stage that began a call within which another must take it over: the run may have been stopped."""
MAX_RUNS = 1_000
"""Runs whose calls are known; each lets go of them within `LEASH_S`."""


class Flight:
    """A call that has begun.

    Attributes:
        caller: Who asks.
    """

    def __init__(self, caller: Caller, messages: Sequence[BaseMessage]) -> None:
        """Begin it."""
        self.caller = caller
        self._task = asyncio.create_task(caller.text(messages))
        # Whoever takes it over hears of its failure; what nobody takes over fails unheard.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    @property
    def answered(self) -> bool:
        """Whether its whole reply is there."""
        task = self._task
        return task.done() and not task.cancelled() and not task.exception() and not task.result().shortfall

    @property
    def dropped(self) -> bool:
        """Whether nobody wanted it."""
        return self._task.cancelled() or self._task.cancelling() > 0

    async def wait(self, seconds: float | None = None, *, beside: Collection["asyncio.Task[Any]"] = ()) -> None:
        """Wait until it has ended, or something else beside it has; its failure is not heard here.

        Args:
            seconds: How long at most.
            beside: What else is waited for.
        """
        await asyncio.wait({self._task, *beside}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    def tell_start(self, tell: Callable[[], None]) -> None:
        """Have it told when the first request is sent: at once, where it was."""
        if self.caller.calls:
            tell()
        else:
            self.caller.on_start = tell

    async def land(self) -> Reply:
        """Wait for the reply; who is cancelled meanwhile cancels the call.

        Raises:
            ModelError: As `Caller.text`.
        """
        return await self._task

    def cancel(self) -> None:
        """Break it off."""
        self._task.cancel()

    async def drop(self) -> list[Call]:
        """Break it off, and return the requests that were made in vain."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return in_vain(self.caller)


def in_vain(caller: Caller) -> list[Call]:
    """Return the requests of a caller whose reply nobody needs."""
    return [call.model_copy(update={"wasted": True}) for call in caller.calls]


_runs: Recent[str, dict[str, Flight]] = Recent(MAX_RUNS)


def key_of(who: str, messages: Sequence[BaseMessage]) -> str:
    """Name a call by what it is for and all that it asks."""
    return f"{who} {sha256(chr(0).join(message.text for message in messages).encode()).hexdigest()}"


def begin(run_id: str, key: str, caller: Caller, messages: Sequence[BaseMessage]) -> None:
    """Begin a call.

    Args:
        run_id: The run that may need it.
        key: What it is known by.
        caller: Who asks.
        messages: The conversation.
    """
    _runs.get_or_make(run_id, dict)[key] = Flight(caller, messages)


def any_begun(run_id: str) -> bool:
    """Tell whether any call of a run has begun early and is not taken over yet."""
    return bool(_runs.get(run_id))


def is_answered(run_id: str, key: str) -> bool:
    """Tell whether the whole reply to a call that has begun is there; the call stays where it is."""
    flight = _runs.get(run_id, {}).get(key)
    return flight is not None and flight.answered


async def wait_for(run_id: str, key: str, seconds: float) -> None:
    """Wait so long for a call that has begun to end."""
    if flight := _runs.get(run_id, {}).get(key):
        await flight.wait(seconds)


async def unless_answered(run_id: str, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
    """Do some work, which is broken off as soon as the whole reply to a call that has begun is there.

    Returns:
        What came of the work; nothing if the reply was there first.
    """
    flight = _runs.get(run_id, {}).get(key)
    if flight is None:
        return await work()
    if flight.answered:
        return None
    task = asyncio.create_task(work())
    try:
        await flight.wait(beside={task})
        return None if flight.answered and not task.done() else await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def take(run_id: str, key: str) -> Flight | None:
    """Take a call over, if it has begun and still goes on, or has ended."""
    flight = _runs.get(run_id, {}).pop(key, None)
    return None if flight is None or flight.dropped else flight


async def drop(run_id: str, keys: Collection[str]) -> list[Call]:
    """Break off calls of a run that are not needed, and return the requests that were made in vain."""
    flights = _runs.get(run_id, {})
    unwanted = [flights.pop(key) for key in keys if key in flights]
    return [call for flight in unwanted for call in await flight.drop()]


async def drop_others(run_id: str, keep: Collection[str]) -> list[Call]:
    """Break off all calls of a run but those that are needed, and return the requests that were made in vain."""
    return await drop(run_id, [key for key in _runs.get(run_id, {}) if key not in keep])


def leash(run_id: str) -> None:
    """Break off what nobody takes over soon: the run was stopped."""
    if flights := _runs.get(run_id):
        asyncio.get_running_loop().call_later(LEASH_S, _let_go, flights)


def _let_go(flights: dict[str, Flight]) -> None:
    for flight in flights.values():
        flight.cancel()
    flights.clear()

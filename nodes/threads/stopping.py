"""Threads at work in this process, and stopping one of them while the others of its run go on."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from langgraph.config import get_config

from nodes.shared.run import Run
from nodes.threads.results import Stop

T = TypeVar("T")

BY_A_PERSON = "stopped by a person"

_lock = threading.Lock()


class StoppedBy(Protocol):
    """Who stopped a thread, and why."""

    @property
    def stopped(self) -> Stop:
        """Who; empty while nobody has."""

    @property
    def why(self) -> str:
        """Why, in words."""


class AtWork:
    """A thread at work.

    Attributes:
        run: Its run.
        id: The thread's id in the plan.
        conversation: The LangGraph thread that the run is made on; empty where it is on none.
        stopped: Who stopped it; empty while nobody has.
        why: Why, in words.
    """

    def __init__(self, run: Run, id: str) -> None:
        """Begin with nothing to do."""
        self.run, self.id = run, id
        self.conversation = str(get_config().get("configurable", {}).get("thread_id") or "")
        self.stopped: Stop = ""
        self.why = ""
        self._loop = asyncio.get_running_loop()
        self._work: asyncio.Task[Any] | None = None

    def stop(self, who: Stop, why: str) -> bool:
        """Break off what it does; any thread of the process may call this. The first reason counts.

        Returns:
            Whether this is what stops it.
        """
        if self.stopped or self._loop.is_closed():
            return False
        self.stopped, self.why = who, why
        self._loop.call_soon_threadsafe(self._break_off)
        return True

    async def finish(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do some work to its end; returns nothing if it was stopped before it came to anything.

        The work is a task of its own, so that stopping it is no cancelling of the run. It has ended when this returns.

        Raises:
            Exception: What the work raised.
        """
        if self.stopped:
            work.close()
            return None
        self._work = made = asyncio.create_task(work)
        cancelled: asyncio.CancelledError | None = None
        while not made.done():
            try:
                await asyncio.wait([made])
            except asyncio.CancelledError as error:  # the whole run breaks off
                # What was stopped already is left to clear up.
                if cancelled or not self.stopped:
                    made.cancel()
                cancelled = error
        if cancelled:
            # Read, so that nobody is told of a failure that was never read.
            _ = made.cancelled() or made.exception()
            raise cancelled
        return None if self.stopped and made.cancelled() else made.result()

    def _break_off(self) -> None:
        if self._work:
            self._work.cancel()


_at_work: dict[tuple[str, str], AtWork] = {}


@contextmanager
def at_work(run: Run, id: str) -> Iterator[AtWork]:
    """Let a thread of a run be stopped while this block runs."""
    entry = AtWork(run, id)
    with _lock:
        _at_work[run.id, id] = entry
    try:
        yield entry
    finally:
        with _lock:
            if _at_work.get((run.id, id)) is entry:
                del _at_work[run.id, id]


def stop_thread(run_id: str, thread_id: str) -> bool:
    """Stop one thread of a running question; the run goes on without it.

    What the model had written is kept in the thread's `text`, and the thread does not run again. Any thread of this
    process may call this, with an event loop or without.

    Args:
        run_id: The run, as the progress of its threads names it (`run_id`).
        thread_id: The thread's id in the plan, such as `T2`.

    Returns:
        Whether such a thread was at work in this process: queued, waiting for another's result, or running.
    """
    with _lock:
        entry = _at_work.get((run_id, thread_id))
        return entry is not None and entry.stop("person", BY_A_PERSON)


def stop_thread_of(conversation: str, thread_id: str) -> bool:
    """Do the same as `stop_thread` for the newest run at work on a LangGraph thread."""
    with _lock:
        runs = [entry.run for entry in _at_work.values() if entry.conversation == conversation]
    newest = max(runs, key=lambda run: run.started_at, default=None)
    return newest is not None and stop_thread(newest.id, thread_id)


def stop_others(run_id: str, why: str, *, but: str) -> None:
    """Stop the threads of a run that are still at work `but` one, since they are not needed."""
    with _lock:
        for entry in _at_work.values():
            if entry.run.id == run_id and entry.id != but:
                entry.stop("not_needed", why)

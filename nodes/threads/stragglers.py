"""Which thread is late, and the race of its second copy with the first.

A second copy of the few slowest requests cuts the longest waits for little more work: J. Dean and
L. A. Barroso, "The tail at scale", Communications of the ACM 56(2), 2013 ("hedged requests").
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from statistics import median
from typing import Any, TypeVar

T = TypeVar("T")

HEDGE_FLOOR_S = 0.5
"""Seconds; nothing sooner is late, whatever its siblings took."""
THREADS_A_HEDGE = 10
"""One thread in so many may have a second copy, and one in any case."""


class Stragglers:
    """Who is late among the threads of one round."""

    def __init__(self, multiple: float | None, *, threads: int, left: int) -> None:
        """Set what late means.

        Args:
            multiple: Late is who takes so many times the median of the finished siblings; `None` for nobody.
            threads: How many threads run in this round.
            left: How many second copies may be started.
        """
        self.on = multiple is not None and left > 0
        self._multiple, self._threads, self._left = multiple or 0.0, threads, left
        self._latencies: list[float] = []
        self._news = asyncio.Event()

    def finish(self, latency: float) -> None:
        """Take in that a thread has its answer, and after how many seconds."""
        self._latencies.append(latency)
        self._news.set()
        self._news = asyncio.Event()

    async def late(self, started: asyncio.Event) -> None:
        """Return when a thread is late and may have a second copy; for ever waiting if that never comes.

        Args:
            started: Set as the thread starts.
        """
        await started.wait()
        clock = asyncio.get_running_loop()
        began = clock.time()
        while True:
            due = self._due()
            left = None if due is None else began + due - clock.time()
            if left is not None and left <= 0 and self._left:
                self._left -= 1
                return
            try:
                async with asyncio.timeout(left if self._left else None):
                    await self._news.wait()
            except TimeoutError:
                pass

    def _due(self) -> float | None:
        """Return the seconds after which a thread is late; `None` until half of its siblings have finished."""
        if 2 * len(self._latencies) < self._threads - 1:
            return None
        return max(HEDGE_FLOOR_S, self._multiple * median(self._latencies)) if self._latencies else None


async def race(
    first: Coroutine[Any, Any, T], second: Callable[[], Coroutine[Any, Any, T]], late: Coroutine[Any, Any, None]
) -> T:
    """Return the first result of a task and, should it be late, of its second copy; the other is cancelled.

    Args:
        first: The task.
        second: Makes the copy.
        late: Ends when the copy should start.

    Raises:
        Exception: What the last of them to fail raised.
    """
    watch = asyncio.create_task(late)
    racing: set[asyncio.Task[T]] = {asyncio.create_task(first)}
    everyone: set[asyncio.Task[Any]] = {watch, *racing}
    try:
        while True:
            waiting: set[Awaitable[Any]] = {*racing, *([] if watch.done() else [watch])}
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)  # type: ignore[type-var]
            for task in racing & done:
                if task.exception() is None or racing == {task}:
                    return task.result()
                racing.discard(task)
            if watch in done:
                copy = asyncio.create_task(second())
                racing.add(copy)
                everyone.add(copy)
    finally:
        for task in everyone:
            task.cancel()
        await asyncio.gather(*everyone, return_exceptions=True)

"""Work that many ask for and that is done once."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Work done once, in a thread, for whoever asks first from whichever event loop; again if it failed."""

    def __init__(self, work: Callable[[], T], *, stands: Callable[[T], bool] = lambda _: True) -> None:
        """Prepare the work; `stands` tells whether its result is still of use."""
        self._work, self._stands = work, stands
        self._lock = threading.Lock()
        self._future: Future[T] | None = None

    def begin(self) -> None:
        """Begin, and wait for nothing."""
        self._running()

    async def result(self) -> T:
        """Return the work's result, or raise what it raised."""
        return await asyncio.wrap_future(self._running())

    def _running(self) -> Future[T]:
        with self._lock:
            future = self._future
            if future is None or (future.done() and (future.exception() or not self._stands(future.result()))):
                future = self._future = Future()
                future.set_running_or_notify_cancel()  # so that one who stops waiting does not cancel it for all
                # A daemon: unlike a pool's, it keeps no process from ending while a model loads.
                threading.Thread(target=self._do, args=(future,), name="apr-local", daemon=True).start()
            return future

    def _do(self, future: Future[T]) -> None:
        try:
            future.set_result(self._work())
        except BaseException as error:
            future.set_exception(error)

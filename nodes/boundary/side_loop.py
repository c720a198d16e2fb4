"""An event loop in a thread of its own, for callers that have none: `graph.invoke`, `stream` and `batch`.

All of them share it, and with it the connections and limits of the process.
"""

import asyncio
import atexit
import signal
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
CLOSE_TIMEOUT_S = 5.0
"""Seconds to close connections in when the program ends."""


class UnderWay:
    """The work of runs that somebody waits for, in whatever thread their nodes wait."""

    def __init__(self) -> None:
        """Nothing is at work yet."""
        self._futures: set[Future[Any]] = set()
        self._ended = False

    def add(self, future: Future[Any]) -> None:
        """Take in what begins; after the end, it ends at once: a node may have been between two steps then."""
        self._futures.add(future)
        if self._ended:
            future.cancel()

    def remove(self, future: Future[Any]) -> None:
        """Let go of what has ended."""
        self._futures.discard(future)

    def end(self) -> None:
        """End all of it, and what is yet to begin."""
        self._ended = True
        for future in tuple(self._futures):
            future.cancel()


_under_way: ContextVar[UnderWay | None] = ContextVar("under_way", default=None)
"""What Ctrl-C ends."""
_lock = threading.Lock()
_loops: list[asyncio.AbstractEventLoop] = []


def run_aside(work: Coroutine[Any, Any, T]) -> T:
    """Run something to its end while this thread waits; a thread whose own loop runs may call it, too."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    under_way = _under_way.get() or UnderWay()
    under_way.add(future)
    try:
        return future.result()
    finally:
        under_way.remove(future)
        # Where Ctrl-C ends the waiting, nobody is left to use what the work would bring.
        future.cancel()


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, Ctrl-C in the main thread ends the nodes of runs in other threads, too.

    LangGraph waits for the nodes of a step before an interrupt leaves it, and they know nothing of one. A program that
    handles the signal in its own way keeps its way.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    under_way = UnderWay()

    def end(number: int, frame: Any) -> None:
        under_way.end()
        signal.default_int_handler(number, frame)

    token = _under_way.set(under_way)
    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        # Another thread may close what was begun here.
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _under_way.reset(token)


def _loop() -> asyncio.AbstractEventLoop:
    with _lock:
        if not _loops:
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="apr-sync", daemon=True)
            thread.start()
            _loops.append(loop)
            atexit.register(_end, loop, thread)
        return _loops[0]


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    with suppress(Exception):
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(CLOSE_TIMEOUT_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(CLOSE_TIMEOUT_S)
    if not thread.is_alive():
        loop.close()

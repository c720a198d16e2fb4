"""An event loop in a thread of its own, for callers that have none: `graph.invoke`, `stream` and `batch`.

All of them share it, and with it the connections and limits of the process.
"""

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
CLOSE_TIMEOUT_S = 5.0
"""Seconds to close connections in when the program ends."""

_lock = threading.Lock()
_loops: list[asyncio.AbstractEventLoop] = []


def run_aside(work: Coroutine[Any, Any, T]) -> T:
    """Run something to its end while this thread waits; a thread whose own loop runs may call it, too."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    finally:
        # Where Ctrl-C ends the waiting, nobody is left to use what the work would bring.
        future.cancel()


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

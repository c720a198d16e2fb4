"""The pace of one endpoint: it begins with what earlier processes have seen, and is kept for later ones."""

import asyncio
import threading
from contextlib import suppress

from nodes.llm.endpoints.pace import Pace, Shown
from nodes.llm.endpoints.pace_store import add_to_pace, find_pace

WRITE_DELAY_S = 1.0
"""Seconds that what a call has shown waits for that of others, so that a run costs one writing or two."""


class KeptPace:
    """The pace of an endpoint. Safe to use from several event loops in several threads.

    Attributes:
        pace: All that is known.
    """

    def __init__(self, endpoint: str) -> None:
        """Nothing is known at first.

        Args:
            endpoint: What later processes know the endpoint by.
        """
        self.pace = Pace()
        self._endpoint = endpoint
        self._recalled = False
        self._pending: list[Shown] = []
        """What this process has seen and not yet kept."""
        self._timer: asyncio.AbstractEventLoop | None = None
        """The event loop that will have it kept."""
        self._lock, self._keeping = threading.Lock(), threading.Lock()

    async def recall(self) -> None:
        """Begin with what earlier processes have seen, once."""
        if not self._recalled:
            self._recalled = True
            self._take_over(await asyncio.to_thread(find_pace, self._endpoint))

    def see(self, shown: Shown) -> None:
        """Take in what a call has shown, which is kept a little later."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self.pace.take(shown)
            self._pending.append(shown)
            if self._timer is None or self._timer.is_closed():
                self._timer = loop
                loop.call_later(WRITE_DELAY_S, self._due, loop)

    def _due(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the event loop ends at this moment, and has it kept
            loop.run_in_executor(None, self._keep)

    async def keep(self) -> None:
        """Keep at once what was seen: the event loop is about to end."""
        if self._pending:
            try:
                await asyncio.to_thread(self._keep)
            except RuntimeError:  # the program ends, and starts no more threads
                self._keep()

    def _keep(self) -> None:
        with self._keeping:
            with self._lock:
                taken, self._pending, self._timer = self._pending, [], None
            if taken:
                self._take_over(add_to_pace(self._endpoint, taken))

    def _take_over(self, known: Pace | None) -> None:
        """Put what all processes have seen in the place of what this one has; what is not kept yet is added."""
        if known is None:
            return
        with self._lock:
            for shown in self._pending:
                known.take(shown)
            self.pace = known

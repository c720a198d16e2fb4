"""The pace of one endpoint: it begins with what earlier processes have seen, and is kept for later ones."""

import asyncio
import threading

from nodes.llm.pace import Pace, Shown
from nodes.llm.pace_store import add_to_pace, find_pace
from nodes.llm.usage import Call

MOST_PENDING = 50
"""Calls whose showing waits to be kept until no other call is open."""


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
        self._lock, self._keeping = threading.Lock(), threading.Lock()

    async def recall(self) -> None:
        """Begin with what earlier processes have seen, once."""
        if not self._recalled:
            self._recalled = True
            self._take_over(await asyncio.to_thread(find_pace, self._endpoint))

    def see(self, call: Call) -> None:
        """Take a successful call in."""
        with self._lock:
            shown = Shown.by(call)
            self.pace.take(shown)
            self._pending.append(shown)

    def keep(self, *, idle: bool) -> None:
        """Have what was seen kept, in a thread of the running event loop, which waits for it before it ends.

        Args:
            idle: Whether no other call is open; else it may wait, so that many calls cost one writing.
        """
        if len(self._pending) >= (1 if idle else MOST_PENDING):
            try:
                asyncio.get_running_loop().run_in_executor(None, self._keep)
            except RuntimeError:  # the event loop is about to end
                self._keep()

    def _keep(self) -> None:
        with self._keeping:
            with self._lock:
                taken, self._pending = self._pending, []
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

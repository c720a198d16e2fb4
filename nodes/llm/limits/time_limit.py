"""How long a task may take."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from nodes.llm.replies.errors import ModelError
from nodes.settings import Settings
from nodes.shared.run import now


class TimeLimit:
    """So many seconds of work, and no moment beyond the run's own end. A context manager.

    The clock stands while the task waits for what is not its own doing (see `standing`); the end of the
    run does not wait.

    Attributes:
        seconds: Seconds of work.
    """

    def __init__(self, seconds: float, latest: float = math.inf) -> None:
        """Set the limit.

        Args:
            seconds: Seconds of work, counted from the start of the block.
            latest: When the task must end in any case, in seconds since the epoch.
        """
        self.seconds, self._latest = seconds, latest
        self._end = self._last = math.inf
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> "TimeLimit":
        """Start the clock."""
        clock = asyncio.get_running_loop().time()
        self._last = clock + max(0.0, self._latest - now())
        self._end = clock + self.seconds
        self._timeout = asyncio.timeout_at(min(self._end, self._last))
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the block.

        Raises:
            TimeoutError: It took too long.
        """
        await self._timeout.__aexit__(kind, error, trace)

    @property
    def expired(self) -> bool:
        """Whether the time is up."""
        return self._timeout.expired()

    @property
    def by_run(self) -> bool:
        """Whether it is the run's end that comes first."""
        return self._last < self._end

    def left(self) -> float:
        """Return the seconds left."""
        return min(self._end, self._last) - asyncio.get_running_loop().time()

    @contextmanager
    def stop_clock(self) -> Iterator[None]:
        """Let the clock stand."""
        clock = asyncio.get_running_loop()
        began = clock.time()
        self._timeout.reschedule(None if self._last == math.inf else self._last)
        try:
            yield
        finally:
            self._end += clock.time() - began
            if not self._timeout.expired():
                self._timeout.reschedule(min(self._end, self._last))


def too_late(settings: Settings, limit: str, who: str, *, by_run: bool, fault: ModelError | None) -> ModelError:
    """Say that no reply came in time.

    Args:
        settings: The run's settings.
        limit: The one that bounds the call: `thread_timeout` or `request_timeout`.
        who: The model and where it was asked.
        by_run: Whether it was the run's deadline instead.
        fault: What had gone wrong before, if anything.
    """
    before = f"; before that: {fault}" if fault else ""
    if by_run:
        return ModelError(
            "deadline", f"the run's deadline of {settings.deadline:g} s (`deadline`) left no more time{before}"
        )
    # The whole limit, not what earlier parts of a thread have left of it.
    seconds = getattr(settings, limit)
    return ModelError("timed_out", f"{who} gave no answer within {seconds:g} s (`{limit}`){before}")

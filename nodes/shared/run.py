"""Which run this is, and its clock."""

import time
import uuid
from collections import OrderedDict
from typing import Any

from pydantic import Field

from nodes.shared.record import Record

MAX_CLOCKS = 10_000
"""Runs at work in this process whose clocks are known."""

_OFFSET = time.time() - time.monotonic()


def now() -> float:
    """Seconds since the epoch, as this process counts them: nobody can set this clock back or on."""
    return _OFFSET + time.monotonic()


class Run(Record):
    """One run of a graph."""

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    started_at: float = Field(default_factory=now)
    """Seconds since the epoch; later than it was where the run has stood still since."""
    worked: float = 0.0
    """Seconds that it had worked by its last finished step."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What its caller chose, for whoever goes on with it."""

    def elapsed(self) -> float:
        """Seconds since the run started."""
        return max(0.0, now() - self.started_at)

    def paused_at(self, elapsed: float) -> "Run":
        """Return the run with its clock set back to so many seconds, so that what nobody worked in does not count."""
        return self.model_copy(update={"started_at": now() - min(elapsed, self.elapsed())})


class Clocks:
    """When the runs of this process started, by who works on them: each going on with a run has a clock of its own."""

    def __init__(self) -> None:
        """Know none."""
        # The worker is held, so that no other takes its place in memory.
        self._started: OrderedDict[tuple[int, str], tuple[Any, float]] = OrderedDict()

    def of(self, worker: Any, run: Run, worked: float) -> Run:
        """Return a run with the clock of who works on it.

        Args:
            worker: What is there once for all that works on it at a time.
            run: The run.
            worked: Seconds that it has worked, where this worker is new to it.
        """
        _, started = self._started.get((id(worker), run.id), (worker, now() - max(worked, run.worked)))
        return self.keep(worker, run.model_copy(update={"started_at": started}))

    def keep(self, worker: Any, run: Run) -> Run:
        """Note when a run started."""
        self._started[id(worker), run.id] = worker, run.started_at
        self._started.move_to_end((id(worker), run.id))
        if len(self._started) > MAX_CLOCKS:
            self._started.popitem(last=False)
        return run

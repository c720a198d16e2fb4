"""Which run this is, and its clock."""

import time
import uuid

from pydantic import Field

from nodes.record import Record


class Run(Record):
    """One run of a graph."""

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    started_at: float = Field(default_factory=time.time)
    """Seconds since the epoch, so that a run resumed by another process keeps its start."""

    def elapsed(self) -> float:
        """Seconds since the run started."""
        return max(0.0, time.time() - self.started_at)

    def paused_at(self, elapsed: float) -> "Run":
        """Return the run with its clock set back to so many seconds, so that what nobody worked in does not count."""
        return self.model_copy(update={"started_at": time.time() - min(elapsed, self.elapsed())})

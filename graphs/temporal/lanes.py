"""The threads of a round, as the workflow sees them: who waits for whom, whose turn it is, and who was stopped.

In one process the threads keep this themselves (`nodes.threads.board`, `fan_out`, `stopping`); here they lie apart.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from nodes.state import ThreadTask
from nodes.threads.board import Board
from nodes.threads.results import Stop


@dataclass
class Lane:
    """A thread at work."""

    task: ThreadTask
    stopped: Stop = ""
    """Who stopped it; empty while nobody has."""
    why: str = ""
    work: asyncio.Task[Any] | None = None

    def stop(self, who: Stop, why: str) -> bool:
        """Break off what it does; tells whether this is what stops it."""
        if self.stopped:
            return False
        self.stopped, self.why = who, why
        if self.work:
            self.work.cancel()
        return True


@dataclass
class Round:
    """The threads of one round."""

    turns: asyncio.Semaphore
    board: Board = field(default_factory=Board)
    done: int = 0
    """How many have ended, in whatever way."""
    lanes: dict[str, Lane] = field(default_factory=dict)
    """Those at work, by id."""

"""Runs that are handed over to workers: entered by who asks, kept by whoever ends them."""

import sqlite3
import time
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random

from graphs.history.runs import NAMESPACE, Entry, RunError, Runs, config
from nodes.reporting.estimate import list_lessons
from nodes.state import Problem, Solution

BUSY_RETRY: Any = {
    "retry": retry_if_exception_type(sqlite3.OperationalError),
    "stop": stop_after_delay(60),
    "wait": wait_random(0.1, 1.0),
    "reraise": True,
}
"""Many runs that are handed over at once may write to one file of SQLite's."""


class HandedRuns(Runs):
    """The runs of a store that workers share; nobody holds a lock on those that were handed over."""

    async def hand_over(self, id: str, problem: Problem, settings: dict[str, Any], engine: str) -> Entry:
        """Enter a new run into the list.

        Raises:
            RunError: There is a run of that id.
        """
        return await AsyncRetrying(**BUSY_RETRY)(self._hand_over, id, problem, settings, engine)

    async def _hand_over(self, id: str, problem: Problem, settings: dict[str, Any], engine: str) -> Entry:
        if await self.store.items.aget(NAMESPACE, id):
            raise RunError(f"there is a run {id} already, and one at workers answers one question: take another id")
        entry = await self._make(id, problem, settings, engine=engine)
        await self._write(entry)
        return entry

    async def get(self, id: str) -> Entry:
        """Return the entry of a run, at a worker.

        Raises:
            RunError: There is none in this store.
        """
        item = await self.store.items.aget(NAMESPACE, id)
        if item is None:
            raise RunError(
                f"the store of this worker does not have run {id}; all workers, and who asks them, need the same "
                "store: set APR_STORE to one postgresql://… for all"
            )
        return Entry.model_validate(item.value)

    async def keep(self, entry: Entry, state: dict[str, Any]) -> None:
        """Keep how a run has ended, as if it had been made in one process.

        Raises:
            OSError: It cannot be kept just now; to be tried again.
        """
        self.store.saver.begin_anew()
        await self.graph(entry).aupdate_state(config(entry), state, as_node="baseline")
        if why := self.store.saver.begin_anew():
            raise OSError(f"run {entry.id} cannot be kept: {why}")
        solution = Solution.model_validate(state)
        change = {"active_at": time.time(), "outcome": solution.outcome, "taught": list_lessons(solution.calls)}
        await self._write(entry.model_copy(update=change))

    async def give_up(self, id: str) -> None:
        """Note that a run does not go on; one that has ended stays as it is."""
        entry = await self.find(id)
        if entry.outcome == "running":
            await self._write(entry.model_copy(update={"outcome": "stopped", "active_at": time.time()}))

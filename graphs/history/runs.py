"""Runs that are kept: begun, resumed, listed, shown and pruned."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import Item
from pydantic import Field, ValidationError

from graphs.history.store import Store
from nodes.llm.endpoints.usage import Call
from nodes.reporting.estimate import list_lessons, recall
from nodes.shared.masking import mask_text
from nodes.shared.record import Record
from nodes.state import Problem, Solution

if TYPE_CHECKING:
    from langgraph.types import StateSnapshot

NAMESPACE = ("runs",)
"""Namespace of the entries."""
ENTRIES_A_PAGE = 100
"""Entries read at once."""
MAX_RUNS_LEARNT_FROM = 30
"""Runs that estimates rest on."""
ID_BYTES = 8
"""So many that no two runs have the same id, whoever shares the store."""
MAX_ENTRY_CHARACTERS = 500
"""Characters of a question that an entry holds."""
RELEASE_GRACE_S = 3.0
"""Seconds for a database to see that the process of a run was killed."""

_log = logging.getLogger(__name__)

Standing = Literal["running", "stopped", "complete", "partial", "failed"]


class RunError(Exception):
    """A run cannot be resumed or shown; the message says why and what to do."""


class Entry(Record):
    """A run in the list."""

    id: str
    question: str
    """Its beginning."""
    graph: Literal["adaptive", "sequential"] = "adaptive"
    settings: dict[str, Any] = Field(default_factory=dict)
    """As the run was started, without keys."""
    started_at: float
    """Seconds since the epoch."""
    active_at: float
    """When it was last begun, resumed or ended, in seconds since the epoch."""
    outcome: Standing = "running"
    engine: str = ""
    """Where the run is at work, if it was handed over to workers (`temporal://…`)."""
    taught: list[tuple[str, str, int, float]] = Field(default_factory=list)
    """What its calls teach about the models, for estimates; see `nodes.reporting.estimate`."""
    problem: dict[str, Any] = Field(default_factory=dict)
    """What was asked, without its long texts: for a run that was stopped before its first step was kept."""


def new_id() -> str:
    """Make an id that no run has."""
    return secrets.token_hex(ID_BYTES)


class Runs:
    """The runs of a store."""

    def __init__(self, store: Store) -> None:
        """Use an open store."""
        self.store = store
        self._compiled: dict[str, Any] = {}

    def graph(self, entry: Entry) -> Any:
        """Return the graph of a run, kept in the store."""
        # Loaded here: runs that have ended are listed without the graphs and the model client.
        from graphs.adaptive import graph
        from graphs.sequential import sequential

        if entry.graph not in self._compiled:
            compiled = sequential if entry.graph == "sequential" else graph
            self._compiled[entry.graph] = compiled.kept_by(self.saver)
        return self._compiled[entry.graph]

    @property
    def saver(self) -> BaseCheckpointSaver[Any]:
        """The checkpointer."""
        saver: BaseCheckpointSaver[Any] = self.store.saver
        return saver

    @asynccontextmanager
    async def begin(self, problem: Problem, settings: dict[str, Any], *, sequential: bool) -> AsyncIterator[Entry]:
        """Enter a new run into the list, and hold its lock."""
        entry = await self._make(new_id(), problem, settings, graph="sequential" if sequential else "adaptive")
        async with self.store.locks.hold(entry.id):
            await self._write(entry)
            yield entry

    async def _make(self, id: str, problem: Problem, settings: dict[str, Any], **more: Any) -> Entry:
        now = time.time()
        return Entry(
            id=id,
            question=problem.question[:MAX_ENTRY_CHARACTERS],
            settings=settings,
            started_at=now,
            active_at=now,
            problem=await self.store.saver.lighten(id, problem.model_dump()),
            **more,
        )

    @asynccontextmanager
    async def resume(self, id: str) -> AsyncIterator[Entry]:
        """Take up a run that was stopped, and hold its lock.

        Args:
            id: Its id, or a beginning of it that no other run has.

        Raises:
            RunError: It is unknown, has ended, or is at work.
        """
        entry, until = await self.find(id), time.monotonic() + RELEASE_GRACE_S
        # Looked at again and again, since the lock says nothing when it comes free.
        while entry.outcome == "running" and time.monotonic() < until:
            await asyncio.sleep(0.1)
            entry = await self.find(entry.id)
        async with self.store.locks.hold(entry.id) as free:
            if entry.outcome == "running" or not free:
                raise RunError(f"run {entry.id} is at work in another process; wait for it, or stop that process first")
            if entry.outcome != "stopped":
                raise RunError(f"run {entry.id} has ended ({entry.outcome}); apr show {entry.id} prints its answer")
            entry = entry.model_copy(update={"outcome": "running", "active_at": time.time()})
            await self._write(entry)
            yield entry

    async def left(self, entry: Entry) -> dict[str, Any] | None:
        """Return what a run that was taken up starts with: nothing, or its problem if no step of it was kept."""
        state = await self._state(entry)
        problem: dict[str, Any] | None = None
        # `next` is empty, too, where all threads of a step have ended and the step itself had not been kept yet.
        if state.created_at is None:
            problem = await self.store.saver.complete(entry.id, entry.problem)
        return problem

    async def learn(self) -> None:
        """Let estimates of this process rest on the latest runs."""
        for entry in sorted(await self._entries(), key=lambda entry: entry.active_at)[-MAX_RUNS_LEARNT_FROM:]:
            recall(entry.taught)

    async def end(self, entry: Entry, outcome: Standing, calls: Sequence[Call] = ()) -> None:
        """Note how a run ended; where that cannot be kept any more, a warning must do."""
        if self.store.saver.broken:
            return
        try:
            change = {"outcome": outcome, "active_at": time.time(), "taught": list_lessons(calls)}
            await self._write(entry.model_copy(update=change))
        except Exception as error:
            _log.warning("run %s has ended (%s), which cannot be kept: %s", entry.id, outcome, error)

    async def list_ids(self, standing: Literal["ended", "left", "handed_over"]) -> list[str]:
        """List the ids of some runs, the latest first, by what was noted of them alone.

        Args:
            standing: Those that have ended, those to resume (stopped, or left by their process), or those that workers
                are at.
        """
        entries = sorted(await self._entries(), key=lambda entry: entry.started_at, reverse=True)
        running = [entry for entry in entries if entry.outcome == "running"]
        if standing == "ended":
            return [entry.id for entry in entries if entry.outcome not in ("running", "stopped")]
        if standing == "handed_over":
            return [entry.id for entry in running if entry.engine]
        left = {entry.id for entry in entries if entry.outcome == "stopped"}
        left |= {entry.id for entry in running if not await self.store.locks.is_held(entry.id)}
        return [entry.id for entry in entries if entry.id in left]

    async def all(self) -> list[Entry]:
        """List all runs, the latest first; those whose process has gone are stopped."""
        entries = [await self._as_it_stands(entry) for entry in await self._entries()]
        return sorted(entries, key=lambda entry: entry.started_at, reverse=True)

    async def find(self, id: str) -> Entry:
        """Find a run by its id, or by a beginning of it that no other run has.

        Raises:
            RunError: There is none, or several.
        """
        found = (
            [entry for entry in await self._entries() if entry.id.startswith(id.strip().lower())] if id.strip() else []
        )
        if len(found) != 1:
            several = f"the ids of {len(found)} runs begin with `{id}`" if found else f"there is no run `{id}`"
            raise RunError(f"{several}; apr runs lists them")
        return await self._as_it_stands(found[0])

    async def solution(self, id: str) -> Solution:
        """Return what a run came to.

        Raises:
            RunError: There is no such run, or it has not ended.
        """
        entry = await self.find(id)
        if entry.outcome in ("running", "stopped"):
            what = "is still at work" if entry.outcome == "running" else f"was stopped; apr resume {entry.id} goes on"
            raise RunError(f"run {entry.id} {what}")
        state = await self._state(entry)
        try:
            return Solution.model_validate(state.values)
        except ValidationError as error:
            raise RunError(f"run {entry.id} was kept by another version and cannot be read") from error

    async def prune(self, *, older_than: float | None = None, keep: int | None = None) -> int:
        """Remove runs that have ended or were stopped; those at work stay.

        Args:
            older_than: Seconds since they were last active.
            keep: How many of the latest stay.

        Returns:
            How many were removed.
        """
        entries = await self.all()
        old = {entry.id for entry in entries if older_than is not None and time.time() - entry.active_at > older_than}
        beyond = {entry.id for entry in entries[keep:]} if keep is not None else set()
        going = [entry for entry in entries if entry.id in old | beyond and entry.outcome != "running"]
        return sum([await self._remove(entry) for entry in going])

    async def _remove(self, entry: Entry) -> bool:
        """Remove a run unless somebody has taken it up meanwhile; tells whether it has gone."""
        async with self.store.locks.hold(entry.id) as free:
            item = await self.store.items.aget(NAMESPACE, entry.id)
            if not free or item is None or Entry.model_validate(item.value).active_at != entry.active_at:
                return False
            await self.saver.adelete_thread(entry.id)
            await self.store.items.adelete(NAMESPACE, entry.id)
            return True

    async def _entries(self) -> list[Entry]:
        entries: list[Item] = []
        while page := await self.store.items.asearch(NAMESPACE, limit=ENTRIES_A_PAGE, offset=len(entries)):
            entries += page
        return [entry for item in entries if (entry := _read(item))]

    async def _as_it_stands(self, entry: Entry) -> Entry:
        if entry.outcome != "running" or entry.engine or await self.store.locks.is_held(entry.id):
            return entry
        # Its process has gone; perhaps it had ended all but its own note of it.
        try:
            state = await self._state(entry)
        except RunError:
            return entry.model_copy(update={"outcome": "stopped"})
        report = state.values.get("report")
        # Of a run that was hardly begun the report is blank.
        ended = not state.next and report is not None and report.settings
        return entry.model_copy(update={"outcome": state.values["outcome"] if ended else "stopped"})

    async def _state(self, entry: Entry) -> "StateSnapshot":
        try:
            state: StateSnapshot = await self.graph(entry).aget_state(config(entry))
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            why = mask_text(str(error))
            raise RunError(f"run {entry.id} is damaged, or was kept by another version: {why}") from error
        return state

    async def _write(self, entry: Entry) -> None:
        await self.store.items.aput(NAMESPACE, entry.id, entry.model_dump(mode="json"))


def _read(item: Item) -> Entry | None:
    """Read an entry; of one that another program or version wrote, a warning is all that comes."""
    try:
        return Entry.model_validate(item.value)
    except ValidationError:
        _log.warning("run %s cannot be read and is passed over", mask_text(item.key))
        return None


def config(entry: Entry) -> Any:
    """Return LangGraph's configuration of a run."""
    return {"configurable": {"thread_id": entry.id}}

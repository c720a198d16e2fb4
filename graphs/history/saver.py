"""Checkpointers that keep every long text of a run once, and never fail a run that goes on."""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.store.base import BaseStore, PutOp

from graphs.history.texts import list_hashes, put_back, take_out
from nodes.boundary.stored_types import DeclaredTypes

TEXTS_NAMESPACE = "texts"
"""First part of the namespace of a run's texts; the second is the run's id."""

CLOSED = "closed"

_log = logging.getLogger(__name__)


class TextsOnce(BaseCheckpointSaver[Any]):
    """Mixed into a checkpointer: long texts go into a store, by run and hash."""

    texts: BaseStore
    broken: str
    """Why nothing is kept any more; a run that has begun goes on without."""
    _known: set[tuple[str, str]]
    """Texts that are stored already, by run and hash."""

    def keep_texts(self, texts: BaseStore) -> Self:
        """Use a store for the texts, and read back nothing that is not declared."""
        self.texts, self.serde, self.broken, self._known = texts, DeclaredTypes(), "", set()
        return self

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """Keep a checkpoint."""
        kept = {
            "configurable": {
                "thread_id": config["configurable"]["thread_id"],
                "checkpoint_ns": config["configurable"].get("checkpoint_ns", ""),
                "checkpoint_id": checkpoint["id"],
            }
        }
        if self.broken:
            return kept
        try:
            light = await self.lighten(_run(config), checkpoint)
            return await super().aput(config, light, metadata, new_versions)
        except Exception as error:
            self._complain(error)
            return kept

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a task wrote, as soon as it has ended."""
        if self.broken:
            return
        try:
            await super().aput_writes(config, await self.lighten(_run(config), list(writes)), task_id, task_path)
        except Exception as error:
            self._complain(error)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Read a checkpoint back."""
        found = await super().aget_tuple(config)
        return await self._whole(found) if found else None

    async def alist(self, config: Any, **options: Any) -> AsyncIterator[CheckpointTuple]:
        """Read checkpoints back, the latest first."""
        found = [one async for one in super().alist(config, **options)]
        for one in found:
            yield await self._whole(one)

    async def adelete_thread(self, thread_id: str) -> None:
        """Remove a run, its texts included."""
        await super().adelete_thread(thread_id)
        while items := await self.texts.asearch((TEXTS_NAMESPACE, thread_id), limit=100):
            await self.texts.abatch([PutOp(item.namespace, item.key, None) for item in items])

    async def lighten(self, run: str, value: Any) -> Any:
        """Store the long texts of a value, and return a copy without them."""
        texts: dict[str, str] = {}
        light = take_out(value, texts)
        new = {key: text for key, text in texts.items() if (run, key) not in self._known}
        if new:
            await self.texts.abatch([PutOp((TEXTS_NAMESPACE, run), key, {"text": text}) for key, text in new.items()])
            self._known.update((run, key) for key in new)
        return light

    async def complete(self, run: str, value: Any) -> Any:
        """Return a copy of a value with its texts.

        Raises:
            LookupError: The store has lost one.
        """
        items = {key: await self.texts.aget((TEXTS_NAMESPACE, run), key) for key in list_hashes(value)}
        missing = [key for key, item in items.items() if item is None]
        if missing:
            raise LookupError(f"run {run}: {len(missing)} of its texts are missing from the database")
        return put_back(value, {key: item.value["text"] for key, item in items.items() if item})

    async def _whole(self, found: CheckpointTuple) -> CheckpointTuple:
        run = _run(found.config)
        checkpoint, writes = await self.complete(run, [found.checkpoint, found.pending_writes])
        return found._replace(checkpoint=checkpoint, pending_writes=writes)

    def begin_anew(self) -> str:
        """Take what comes again, unless it is closed; returns why nothing was kept lately, if that was so."""
        why = self.broken
        if why != CLOSED:
            self.broken = ""
        return why

    def close(self) -> None:
        """Take nothing any more: what a run that is broken off still writes comes too late."""
        self.broken = self.broken or CLOSED

    def _complain(self, error: Exception) -> None:
        if self.broken:
            return
        self.broken = str(error) or type(error).__name__
        _log.warning("the run goes on, but is kept no longer and cannot be resumed: %s", self.broken)


def _run(config: Any) -> str:
    return str(config["configurable"]["thread_id"])


class SqliteSaver(TextsOnce, AsyncSqliteSaver):
    """On a SQLite file."""

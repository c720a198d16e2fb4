"""The long texts of runs: in the runs' store, which all workers share, and never in what Temporal keeps."""

import asyncio
from collections import OrderedDict
from typing import Any

from langgraph.store.base import GetOp
from tenacity import AsyncRetrying, stop_after_delay, wait_random

from graphs.history.saver import TEXTS_NAMESPACE
from graphs.history.store import Store
from graphs.history.texts import list_hashes, put_back

MAX_HELD_CHARACTERS = 64_000_000
"""Characters of texts that a worker remembers: the threads of a run read the same documents."""
MAX_STORING_S = 120.0
"""Seconds that a store may be away before what a thread came to is given up, and the thread begun again."""


class RunTexts:
    """Takes long texts out of what is sent, and puts them back."""

    def __init__(self, store: Store) -> None:
        """Use an open store."""
        self._saver, self._items = store.saver, store.items
        self._held: OrderedDict[str, str] = OrderedDict()
        self._size = 0
        self._alone = asyncio.Lock()

    async def lighten(self, run: str, value: Any) -> Any:
        """Store the long texts of a value, and return a copy without them.

        It is tried again and again while the store is busy or away: the value was paid for.
        """
        patient = AsyncRetrying(stop=stop_after_delay(MAX_STORING_S), wait=wait_random(0.05, 1.0), reraise=True)
        return await patient(self._saver.lighten, run, value)

    async def complete(self, run: str, value: Any) -> Any:
        """Return a copy of a value with its texts.

        Raises:
            LookupError: The store has none of that hash.
        """
        hashes = list_hashes(value)
        async with self._alone:
            texts = {key: self._held[key] for key in hashes if key in self._held}
            wanted = [key for key in hashes if key not in texts]
            if wanted:
                found = await self._items.abatch([GetOp((TEXTS_NAMESPACE, run), key) for key in wanted])
                read = {key: item.value["text"] for key, item in zip(wanted, found, strict=True) if item}  # type: ignore[union-attr]
                if len(read) < len(wanted):
                    raise LookupError(
                        f"the store of this worker lacks {len(wanted) - len(read)} texts of run {run}; all workers, "
                        "and who asks them, need the same store: set APR_STORE to one postgresql://… for all"
                    )
                texts |= read
            for key, text in texts.items():
                self._hold(key, text)
        return put_back(value, texts)

    def _hold(self, key: str, text: str) -> None:
        if key not in self._held:
            self._size += len(text)
        self._held[key] = text
        self._held.move_to_end(key)
        while self._size > MAX_HELD_CHARACTERS and len(self._held) > 1:
            _, dropped = self._held.popitem(last=False)
            self._size -= len(dropped)

"""Which slot of the embedded server works on a request, and what its slots hold.

The server would choose a slot itself, and keep in each what it last worked on. But where two requests
have the same rules and examples, it reads them again for the second one, which takes up to 40 s; and
what idle slots hold slows every request down, because all share one context. So a request is given a
slot into which its prompt was put, best one that holds what will not be asked again.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from nodes.llm.embedded.prompts import PreparedPrompts
from nodes.settings import Role

SERVER_SLOTS = 9
"""More than are busy at once, so that some keep what a run may ask again."""
READER = 0
"""The slot in which prompts are read in, and never anything else: what it holds is saved."""
ASKED_AGAIN: frozenset[Role] = frozenset({"solve", "review"})
"""Threads that are sent back, and the reviews after them, begin as they did before."""


@dataclass(frozen=True)
class Purpose:
    """What a request is for."""

    prompt: str
    """Name and version."""
    role: Role
    run_id: str
    thread_id: str | None = None
    sample: int = 0


class Slots:
    """The slots of one server. Safe to use from several event loops in several threads."""

    def __init__(self, prompts: PreparedPrompts) -> None:
        """All slots are empty at first; `prompts` fills them."""
        self._prompts = prompts
        self._free = [slot for slot in range(SERVER_SLOTS) if slot != READER]
        """The longest unused comes first."""
        self._held: dict[int, Purpose] = {}
        """What slots hold, busy ones included."""
        self._lock = threading.Lock()

    async def prepare(self, prompt: str) -> None:
        """Have a prompt read in, once for all (up to 40 s); `taken` then takes milliseconds."""
        await self._prompts.read(prompt)

    @asynccontextmanager
    async def hold(self, purpose: Purpose) -> AsyncIterator[dict[str, Any]]:
        """Take a slot while a request lasts; yields the fields of the request's body that name it."""
        slot, again = self._take(purpose)
        try:
            if not (again or await self._prompts.put_into(slot, purpose.prompt)):
                await self._make_room()
                await self._prompts.put_into(slot, purpose.prompt)
            yield {"id_slot": slot}
        finally:
            with self._lock:
                self._free.append(slot)

    def _take(self, purpose: Purpose) -> tuple[int, bool]:
        """Choose a free slot and tell whether it served the same purpose last."""
        with self._lock:
            runs = {held.run_id for slot, held in self._held.items() if slot not in self._free} | {purpose.run_id}
            slot = min(self._free, key=lambda free: _rank(self._held.get(free), purpose, runs))
            again = self._held.get(slot) == purpose
            self._free.remove(slot)
            self._held[slot] = purpose
            return slot, again

    async def _make_room(self) -> None:
        with self._lock:
            idle = [slot for slot in self._free if self._held.pop(slot, None)]
        await asyncio.gather(*map(self._prompts.empty, idle))


def _rank(held: Purpose | None, purpose: Purpose, runs: set[str]) -> int:
    """Rank what an idle slot holds, the first to be taken lowest; `runs` are those with requests open."""
    if held == purpose:
        return 0
    if held is None:
        return 2
    asked_again = held.run_id in runs and held.role in ASKED_AGAIN
    return 3 if asked_again else 1

"""Who works on which run: at most one process, and none any more once it has died."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from nodes.shared.private import make_private_folder


class Locks(Protocol):
    """Locks by run."""

    def hold(self, run: str) -> AbstractAsyncContextManager[bool]:
        """Hold a run's lock; yields whether it could be had. It goes with the process that holds it."""

    async def is_held(self, run: str) -> bool:
        """Tell whether somebody holds a run's lock."""


class FileLocks:
    """Locks on files in a folder."""

    def __init__(self, folder: Path) -> None:
        """Lock files in a folder, which is made when it is needed."""
        self.folder = folder

    @asynccontextmanager
    async def hold(self, run: str) -> AsyncIterator[bool]:
        """Hold a run's lock."""
        lock = await asyncio.to_thread(self._lock, run)
        try:
            yield lock is not None
        finally:
            if lock:
                await asyncio.to_thread(self._release, lock)

    async def is_held(self, run: str) -> bool:
        """Tell whether somebody holds a run's lock."""
        async with self.hold(run) as free:
            return not free

    def _lock(self, run: str) -> FileLock | None:
        make_private_folder(self.folder)
        lock = FileLock(self.folder / f"{run}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock

    def _release(self, lock: FileLock) -> None:
        lock.release()

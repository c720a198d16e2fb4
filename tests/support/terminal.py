"""A command in a terminal of its own."""

import asyncio
import os

from tests.support.command import Process


class Terminal:
    """The command in a terminal of its own, typed into and read from."""

    def __init__(self, process: Process, screen: int) -> None:
        self.process, self.screen, self.seen = process, screen, ""

    async def until(self, words: str) -> str:
        """Read until some words have come; returns what came since the last ones."""
        async with asyncio.timeout(60):
            while words not in self.seen:
                self.seen += (await self._read()).decode(errors="replace")
        told, _, self.seen = self.seen.partition(words)
        return told

    async def _read(self) -> bytes:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.screen, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self.screen)
        return os.read(self.screen, 4096)

    async def type(self, line: str) -> None:
        """Type a line when asked."""
        await self.until("help> ")
        self.write(f"{line}\n")

    def write(self, text: str) -> None:
        """Type without being asked."""
        os.write(self.screen, text.encode())

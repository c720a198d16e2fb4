"""A network between two processes that can be cut: nothing passes then, and nobody is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PIECE_BYTES = 64 * 1024


class Network:
    """What lies between a client and a server.

    Attributes:
        address: Where the client finds the server, `host:port`.
    """

    def __init__(self, server: str) -> None:
        """Lead to a server, `host:port`."""
        self._host, _, port = server.rpartition(":")
        self._port, self.address = int(port), ""
        self._whole = asyncio.Event()
        self._whole.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._joined: list[asyncio.StreamWriter] = []

    def cut(self) -> None:
        """Let nothing pass; what is sent meanwhile is sent again by TCP when the network is whole."""
        self._whole.clear()

    def mend(self) -> None:
        """Let everything pass."""
        self._whole.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join a client to the server."""
        await self._whole.wait()
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        self._joined += [writer, far_writer]
        for source, to in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pass_on(source, to))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(PIECE_BYTES):
                await self._whole.wait()
                to.write(piece)
                await to.drain()
        to.close()

    async def close(self) -> None:
        """End all that it joins."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._joined:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def network(server: str) -> AsyncIterator[Network]:
    """Lay a network to a server while this block runs."""
    laid = Network(server)
    listener = await asyncio.start_server(laid.serve, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    laid.address = f"{host}:{port}"
    try:
        yield laid
    finally:
        listener.close()
        await laid.close()

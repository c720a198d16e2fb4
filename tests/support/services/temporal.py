"""A real Temporal server on a free port, and workers for it."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.command import STEADY, Process, environment, launch
from tests.support.server import ModelServer
from tests.support.services.ports import free_port

BINARY = shutil.which("temporal") or shutil.which("temporal", path=str(Path(sys.executable).parent))


class Temporal:
    """A server at work.

    Attributes:
        address: `host:port`.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare one that keeps its runs in a folder."""
        self._port = free_port()
        self.address, self._file = f"127.0.0.1:{self._port}", folder / "temporal.sqlite"
        self._process: subprocess.Popen[bytes] | None = None

    def engine(self, queue: str) -> str:
        """Name it as `--engine` takes it, with a queue of a test's own."""
        return f"temporal://{self.address}/default?queue={queue}"

    async def start(self) -> None:
        """Start it, or start it again with what it had kept; returns when it answers."""
        from temporalio.client import Client
        from temporalio.service import RPCError

        process = self._process = await asyncio.to_thread(self._launch)
        async with asyncio.timeout(60):
            while True:
                assert process.poll() is None, "the Temporal server ended before it answered"
                try:
                    await Client.connect(self.address)
                    return
                except (RPCError, RuntimeError):
                    await asyncio.sleep(0.1)

    def _launch(self) -> "subprocess.Popen[bytes]":
        command = [str(BINARY), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(self._port)]
        command += ["--db-filename", str(self._file), "--log-level", "never"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    async def stop(self) -> None:
        """Kill it."""
        if self._process:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)


@asynccontextmanager
async def temporal_server(folder: Path) -> AsyncIterator[Temporal]:
    """Run a server while this block runs."""
    server = Temporal(folder)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


async def start_worker(model: ModelServer, engine: str, store: str, *options: str, **more: str) -> Process:
    """Start `apr worker`, by default in a fork; returns when it takes work."""
    env = environment(model, **(STEADY | more))
    process = await launch("worker", "--engine", engine, "--store", store, *options, env=env)
    assert process.stderr is not None
    said = (await process.stderr.readline()).decode()
    assert "apr: works for temporal://" in said, said + (await process.stderr.read()).decode()
    return process


@asynccontextmanager
async def workers(
    model: ModelServer, engine: str, store: str, count: int = 1, **more: str
) -> AsyncIterator[list[Process]]:
    """Run so many workers while this block runs."""
    started: list[Process] = []
    try:
        started += await asyncio.gather(*(start_worker(model, engine, store, **more) for _ in range(count)))
        yield started
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
            await process.communicate()

"""A Temporal server, a model server and workers, each a process of its own."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from evals.bench.process import environment
from evals.bench.runner import out_of, process
from evals.bench.temporal.endpoint import Counts
from nodes.shared.install import how_to_install

WORKER = "import sys; from graphs.cli.main import main; sys.argv[0] = 'apr'; main()"
START_S = 60.0
"""Seconds that a server or a worker may take to start."""


@dataclass(frozen=True)
class Shape:
    """What is started.

    Attributes:
        workers: Worker processes.
        parts: Parts of every question.
        latency: Seconds that a thread takes at the endpoint.
        limit: Requests at a time that the endpoint takes; 0 for any number.
        documents: Whether each part reads a document of its own.
        concurrency: Steps at a time of a worker.
        settings: Further variables of the workers.
    """

    workers: int
    parts: int = 8
    latency: float = 1.0
    limit: int = 0
    documents: bool = False
    concurrency: int = 16
    settings: tuple[tuple[str, str], ...] = ()


class Cluster:
    """What is at work.

    Attributes:
        graph: Hands runs over.
        client: Temporal's own client.
        context: The runs' settings.
    """

    def __init__(self, shape: Shape, engine: str, client: Any, endpoint: "subprocess.Popen[str]", url: str) -> None:
        """Take what was started."""
        from graphs import build_graph

        self.graph, self.client, self._endpoint = build_graph(engine=engine), client, endpoint
        self.context = {
            "model": "openai:bench",
            "base_url": url,
            "split": "if_independent",
            "head_start": "off",
            "max_threads": max(2, shape.parts),
            "max_parallel": shape.parts,
        }

    async def run(self, id: str, question: str, documents: list[dict[str, str]] | None = None) -> Any:
        """Make a run; returns its solution."""
        asked = {"question": question, "documents": documents or []}
        return await self.graph.ainvoke(asked, {"configurable": {"thread_id": id}}, context=self.context)

    async def history(self, id: str) -> Any:
        """Read a run's history."""
        return await self.client.get_workflow_handle(id).fetch_history()

    async def counts(self) -> Counts:
        """End the endpoint, and return what it counted."""
        out, _ = await asyncio.to_thread(self._endpoint.communicate)
        return Counts(**json.loads(out))


@asynccontextmanager
async def cluster(shape: Shape) -> AsyncIterator[Cluster]:
    """Run all of it while this block runs; the Temporal server keeps what it keeps in memory.

    Raises:
        LookupError: There is no Temporal server here.
    """
    folder = tempfile.TemporaryDirectory()
    async with AsyncExitStack() as stack:
        stack.callback(folder.cleanup)
        os.environ |= {"APR_STORE": str(Path(folder.name) / "runs.sqlite"), "LANGSMITH_TRACING": "false"}
        address = await _start_server(stack)
        asked = map(str, (shape.parts, shape.latency, shape.limit, shape.documents))
        endpoint = stack.enter_context(process("evals.bench.temporal.endpoint", *asked))
        url = f"http://127.0.0.1:{int(out_of(endpoint).readline())}/v1"
        engine = f"temporal://{address}/default"
        started = [_start_worker(stack, shape, engine, url) for _ in range(shape.workers)]
        await asyncio.gather(*(asyncio.to_thread(_wait, worker) for worker in started))
        from graphs.temporal.address import connect, read_engine

        yield Cluster(shape, engine, await connect(read_engine(engine)), endpoint, url)


async def _start_server(stack: AsyncExitStack) -> str:
    from graphs.temporal.address import EngineError, connect, read_engine

    binary = shutil.which("temporal") or shutil.which("temporal", path=str(Path(sys.executable).parent))
    if binary is None:
        raise LookupError(f"the program `temporal` is missing: {how_to_install('dev')}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _open_server(stack, binary, port)
    async with asyncio.timeout(START_S):
        while True:
            try:
                await connect(read_engine(f"temporal://127.0.0.1:{port}"))
                return f"127.0.0.1:{port}"
            except EngineError:
                await asyncio.sleep(0.1)


def _open_server(stack: AsyncExitStack, binary: str, port: int) -> None:
    command = [binary, "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port)]
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    server = subprocess.Popen([*command, "--log-level", "never"], **quiet)
    stack.callback(server.wait)
    stack.callback(server.kill)


def _start_worker(stack: AsyncExitStack, shape: Shape, engine: str, url: str) -> "subprocess.Popen[str]":
    ours = {"APR_MODEL": "openai:bench", "APR_BASE_URL": url, "APR_STORE": os.environ["APR_STORE"]}
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, "worker", "--engine", engine, "--concurrency", str(shape.concurrency)],
        env=environment() | ours | dict(shape.settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    stack.callback(_end, worker)
    return worker


def _wait(worker: "subprocess.Popen[str]") -> None:
    for line in _errors(worker):
        if line.startswith("apr: works for"):
            return
    raise LookupError("a worker did not start")


def _end(worker: "subprocess.Popen[str]") -> None:
    worker.kill()
    said = _errors(worker).read()
    if "Traceback" in said:
        sys.stderr.write(said[-2_000:])
    worker.wait()


def _errors(worker: "subprocess.Popen[str]") -> IO[str]:
    assert worker.stderr is not None
    return worker.stderr

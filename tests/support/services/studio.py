"""`langgraph dev` on a free port, in a folder of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.command import STEADY, Process
from tests.support.forked import DEVNULL, fork
from tests.support.services.ports import free_port

PROJECT = Path(__file__).parents[3]
RUN = "from langgraph_cli.cli import cli\ncli()"


def open_http(url: str, **more: Any) -> httpx.AsyncClient:
    """Open a client for a server of ours.

    Connections are given up before the server does, after 5 s: a request may come just as it closes one.
    """
    return httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(keepalive_expiry=2), **more)


@asynccontextmanager
async def dev_server(folder: Path, real: bool = False, /, **environment: str) -> AsyncIterator[str]:
    """Start the server in a folder, in which it keeps its runs; yields its address.

    Args:
        folder: An empty folder.
        real: Whether the program itself is started, not a fork of a parent that has most of it in memory.
        environment: Variables; what the caller's own environment says of models and traces does not count.
    """
    for name in ("graphs", "nodes", "prompts", "langgraph.json", "pyproject.toml"):
        (folder / name).symlink_to(PROJECT / name)
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LANGSMITH_", "OPENAI_", "APR_"))}
    own = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGGRAPH_NO_VERSION_CHECK": "true", "LANGSMITH_TRACING": "false"}
    arguments = ("dev", "--no-browser", "--no-reload", "--host", "127.0.0.1", "--port", str(port))
    # A server of a test keeps nothing where a user's would.
    store = {"APR_STORE": str(folder / "runs.sqlite")}
    env = kept | own | STEADY | store | environment
    streams: Any = {"stdin": DEVNULL, "stdout": DEVNULL, "stderr": DEVNULL}
    process: Process
    if real:
        program = (sys.executable, "-m", "langgraph_cli")
        process = await asyncio.create_subprocess_exec(*program, *arguments, cwd=folder, env=env, **streams)
    else:
        process = await fork("langgraph", *arguments, code=RUN, folder=folder, env=env, **streams)
    ended = asyncio.create_task(process.wait())
    try:
        await _until_it_answers(f"http://127.0.0.1:{port}", ended)
        yield f"http://127.0.0.1:{port}"
    finally:
        if not ended.done():
            process.send_signal(signal.SIGTERM)
        await ended


async def _until_it_answers(url: str, ended: asyncio.Task[int]) -> None:
    async with asyncio.timeout(120), httpx.AsyncClient() as client:
        while not ended.done():
            try:
                await client.get(f"{url}/ok")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.2)
    raise AssertionError("langgraph dev ended before it answered")

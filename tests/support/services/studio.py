"""`langgraph dev` on a free port, in a folder of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.command import STEADY
from tests.support.services.ports import free_port

PROJECT = Path(__file__).parents[3]


def open_http(url: str, **more: Any) -> httpx.AsyncClient:
    """Open a client for a server of ours.

    Connections are given up before the server does, after 5 s: a request may come just as it closes one.
    """
    return httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(keepalive_expiry=2), **more)


@asynccontextmanager
async def dev_server(folder: Path, **environment: str) -> AsyncIterator[str]:
    """Start the server in a folder, in which it keeps its runs; yields its address.

    Args:
        folder: An empty folder.
        environment: Variables; what the caller's own environment says of models and traces does not count.
    """
    for name in ("graphs", "nodes", "prompts", "langgraph.json", "pyproject.toml"):
        (folder / name).symlink_to(PROJECT / name)
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LANGSMITH_", "OPENAI_", "APR_"))}
    own = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGGRAPH_NO_VERSION_CHECK": "true", "LANGSMITH_TRACING": "false"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"),
        *("--host", "127.0.0.1", "--port", str(port)),
        cwd=folder,
        env=kept | own | STEADY | environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _until_it_answers(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_it_answers(url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(120), httpx.AsyncClient() as client:
        while process.returncode is None:
            try:
                await client.get(f"{url}/ok")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.2)
    raise AssertionError("langgraph dev ended before it answered")

"""The `apr` command on a scripted server, run as a user runs it."""

import asyncio
import os
import sys
from pathlib import Path

from tests.server import ModelServer

APR = str(Path(sys.executable).parent / "apr")


def environment(server: ModelServer, **more: str) -> dict[str, str]:
    """Return the environment in which the command uses a server."""
    return os.environ | {"APR_MODEL": "openai:scripted", "APR_BASE_URL": server.url} | more


async def start(server: ModelServer, *arguments: str, **more: str) -> asyncio.subprocess.Process:
    """Start the command; its three streams are pipes."""
    return await asyncio.create_subprocess_exec(
        *(APR, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(server, **more),
    )


async def apr(server: ModelServer, *arguments: str, **more: str) -> tuple[int, str, str]:
    """Run the command to its end; returns its status, output and errors."""
    process = await start(server, *arguments, **more)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()

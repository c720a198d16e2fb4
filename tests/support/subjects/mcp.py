"""Talking to `apr mcp` as a client does: over the streams of a process, or over HTTP."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx2

from tests.support.command import APR, launch
from tests.support.server import ModelServer

T = TypeVar("T")
KEY = "sk-0123456789abcdefghij"


def environment(server: ModelServer, **more: str) -> dict[str, str]:
    """The environment of the server: it always splits, never repeats, and begins nothing early."""
    own = {"APR_MODEL": "openai:scripted", "APR_BASE_URL": server.url}
    own |= {"APR_SPLIT": "always", "APR_MAX_ROUNDS": "0", "APR_HEAD_START": "off"}
    kept = {
        name: os.environ[name] for name in ("APR_STORE", "APR_CACHE_FILE", "PYTHONPATH", "PATH") if name in os.environ
    }
    return kept | own | {"OPENAI_API_KEY": KEY, "LANGSMITH_TRACING": "false"} | more


@asynccontextmanager
async def over_streams(server: ModelServer, folder: Path, *options: str, **more: str) -> AsyncIterator[Any]:
    """Start `apr mcp` in a folder, and connect; what it says beside the protocol is in the folder's `.errors`."""
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    started = StdioServerParameters(command=APR, args=["mcp", *options], env=environment(server, **more), cwd=folder)
    with (folder / ".errors").open("w") as errors:
        async with Client(stdio_client(started, errlog=errors)) as client:
            yield client


@asynccontextmanager
async def held(opened: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Hold something open in one task, as anyio wants it, whatever tasks a fixture begins and ends in."""
    ready, over = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def hold() -> None:
        try:
            async with opened as value:
                ready.set_result(value)
                await over.wait()
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)

    holding = asyncio.create_task(hold())
    try:
        yield await ready
    finally:
        over.set()
        await holding


@asynccontextmanager
async def over_http(server: ModelServer) -> AsyncIterator[tuple[str, str]]:
    """Start `apr mcp --http` without tokens; yields its address, and the key that it made."""
    process = await launch("mcp", "--http", "--port", "0", env=environment(server))
    told = cast(asyncio.StreamReader, process.stderr)
    try:
        key, address = [(await told.readline()).decode().split()[-1] for _ in range(2)]
        yield address, key
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()


@asynccontextmanager
async def connected(address: str, token: str) -> AsyncIterator[Any]:
    """Connect over HTTP with a token."""
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
        async with Client(streamable_http_client(address, http_client=http)) as client:
            yield client


def said(result: Any) -> str:
    """The words of a result."""
    return "\n".join(part.text for part in result.content)

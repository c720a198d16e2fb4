"""Servers of providers that speak protocols of their own, for LangChain's packages."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from aiohttp import web

from tests.support.server import outline, review, serving
from tests.support.subjects.calls import PARTS


class Provider:
    """A server of a provider: plans what a tool or a schema asks for, else says `Result: x`."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.faults: list[web.Response] = []
        self.reason = "end_turn"

    async def take(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self.asked.append(body)
        self.headers.append(str(dict(request.headers)))
        return body

    def planned(self, system: str) -> dict[str, Any] | None:
        starts = {"Find the parts": outline(*PARTS), "Helpers worked": review()}
        return next((found for start, found in starts.items() if system.startswith(start)), None)


@asynccontextmanager
async def running(provider: Any, path: str) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post(path, provider.handle)
    async with serving(app) as address:
        yield address
        # LangChain's packages keep their clients open for the process.
        for client in [kept for kept in gc.get_objects() if isinstance(kept, httpx.AsyncClient)]:
            await client.aclose()

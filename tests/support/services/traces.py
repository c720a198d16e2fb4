"""A loopback server that speaks LangSmith's ingestion protocol, and what it was told."""

import io
import json
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import zstandard
from aiohttp import web

from tests.support.server import serving


class TraceServer:
    """Keeps every byte that was posted, and puts the runs together from their parts.

    Attributes:
        bytes: All that was posted: request lines, headers (but the key of LangSmith itself), bodies, unpacked.
        runs: By id: a run's fields, as its last post or patch left them.
    """

    def __init__(self) -> None:
        self.bytes = b""
        self.runs: dict[str, dict[str, Any]] = {}
        self.url = ""

    async def info(self, _: web.Request) -> web.Response:
        batches = {"use_multipart_endpoint": True, "size_limit": 100, "size_limit_bytes": 20_971_520}
        batches |= {"scale_up_qsize_trigger": 1000, "scale_up_nthreads_limit": 16, "scale_down_nempty_trigger": 4}
        flags = {"zstd_compression_enabled": True}
        return web.json_response({"version": "0.15", "batch_ingest_config": batches, "instance_flags": flags})

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() != "x-api-key"}
        if request.headers.get("Content-Encoding") == "zstd":
            body = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)).read()
        self.bytes += f"{request.rel_url} {headers}".encode() + body
        if request.path.endswith("/multipart"):
            self._put_together(request.headers["Content-Type"], body)
        return web.json_response({}, status=202)

    async def find(self, _: web.Request) -> web.Response:
        """No dataset and no example is there yet."""
        return web.json_response([])

    async def dataset(self, request: web.Request) -> web.Response:
        await self.take(request)
        told = await request.json()
        return web.json_response({"id": str(uuid.uuid4()), "name": told["name"], "created_at": "2026-01-01T00:00:00Z"})

    async def project(self, request: web.Request) -> web.Response:
        await self.take(request)
        return web.json_response(await request.json() | {"tenant_id": str(uuid.uuid4())})

    async def examples(self, request: web.Request) -> web.Response:
        await self.take(request)
        return web.json_response({"count": 1, "example_ids": []}, status=201)

    def _put_together(self, content_type: str, body: bytes) -> None:
        # Python's own parser of such bodies is slow, and most of what the tests of keys would wait for.
        boundary = b"--" + content_type.partition("boundary=")[2].strip('"').encode()
        for part in body.split(boundary)[1:-1]:
            head, _, content = part.partition(b"\r\n\r\n")
            _, id, *field = re.search(rb'name="?([^";]+)', head)[1].decode().split(".")  # type: ignore[index]
            value = json.loads(content)
            run = self.runs.setdefault(id, {})
            if field:
                run[field[0]] = value
            else:
                run |= {key: given for key, given in value.items() if given is not None}

    @property
    def root(self) -> dict[str, Any]:
        (root,) = [run for run in self.runs.values() if not run.get("parent_run_id")]
        return root

    def below(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        """The runs right below a run, in the order they started."""
        found = [other for other in self.runs.values() if other.get("parent_run_id") == run["id"]]
        return sorted(found, key=lambda other: str(other["start_time"]))


@asynccontextmanager
async def trace_server() -> AsyncIterator[TraceServer]:
    """Run it on a free port of the loopback interface."""
    server = TraceServer()
    app = web.Application(client_max_size=256 * 1024 * 1024)
    app.router.add_get("/info", server.info)
    for path in ("/datasets", "/examples"):
        app.router.add_get(path, server.find)
    app.router.add_post("/datasets", server.dataset)
    app.router.add_post("/sessions", server.project)
    app.router.add_post("/v1/platform/datasets/{id}/examples", server.examples)
    app.router.add_route("POST", "/{path:.*}", server.take)
    app.router.add_route("PATCH", "/{path:.*}", server.take)
    # Unpacked here: aiohttp needs another package for it.
    async with serving(app, auto_decompress=False) as address:
        server.url = address
        yield server

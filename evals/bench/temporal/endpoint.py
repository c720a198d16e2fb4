"""A model server in a process of its own: `python -m evals.bench.temporal.endpoint PARTS LATENCY LIMIT DOCUMENTS`.

It prints its port, serves until its standard input ends, then prints what it counted.
"""

import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

from evals.bench.process import settle
from evals.bench.server import BACKLOG, KEEP_ALIVE

_SCHEMA = re.compile(rb'"name"\s*:\s*"(Outline|Review)"')
_PART = re.compile(rb"What is (\d+) plus (\d+)\?")


@dataclass
class Counts:
    """What it counted."""

    requests: int = 0
    refused: int = 0
    """With status 429, since more than the limit were at work."""
    peak: int = 0
    """Most requests at work at once."""
    arrived: dict[str, float] = field(default_factory=dict)
    """When the first request about a part came, in seconds since the epoch."""


class Endpoint:
    """Answers threads after a latency, and all else at once; above a limit it refuses."""

    def __init__(self, parts: int, latency: float, limit: int, documents: bool) -> None:
        """Prepare the replies.

        Args:
            parts: Parts of every question.
            latency: Seconds of a thread.
            limit: Requests at a time; 0 for any number.
            documents: Whether each part reads a document of its own.
        """
        self.counts = Counts()
        self._latency, self._limit, self._open = latency, limit, 0
        lines = [f"{number} {parts + number}" if documents else f"{number}" for number in range(1, parts + 1)]
        self._bodies = {
            b"Outline": {"parts": lines, "answer": "text"},
            b"Review": {"redo": [], "conflicts": [], "answer": "All sums are as the threads found them."},
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        at = time.time()
        if request.path != "/v1/chat/completions":
            return web.Response(status=404)
        content = await request.read()
        self.counts.requests += 1
        if self._limit and self._open >= self._limit:
            self.counts.refused += 1
            return web.json_response({"error": {"message": "too many at once", "code": 429}}, status=429)
        self._open += 1
        self.counts.peak = max(self.counts.peak, self._open)
        try:
            schema = _SCHEMA.search(content)
            if schema:
                return web.json_response(_reply(json.dumps(self._bodies[schema.group(1)])))
            if parts := _PART.findall(content):
                self.counts.arrived.setdefault(b"+".join(parts[-1]).decode(), at)
            await asyncio.sleep(self._latency)
            return web.json_response(_reply("The two numbers are added.\nResult: the sum is 42."))
        finally:
            self._open -= 1


def _reply(text: str) -> dict[str, Any]:
    return {
        "id": "bench",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 120, "completion_tokens": 20, "total_tokens": 140},
    }


async def serve(endpoint: Endpoint) -> None:
    """Serve on a free port of the loopback interface until standard input ends."""
    runner = web.ServerRunner(
        web.Server(endpoint.handle, handler_cancellation=True, access_log=None, keepalive_timeout=KEEP_ALIVE),
        shutdown_timeout=0.1,
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=BACKLOG).start()
    _say(str(runner.addresses[0][1]))
    await asyncio.to_thread(sys.stdin.buffer.read)
    _say(json.dumps(asdict(endpoint.counts)))
    await runner.cleanup()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    settle("")
    asyncio.run(serve(Endpoint(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "True")))

"""The server, in a process of its own: `python -m evals.bench.server ORDER CORE`.

It prints its port, serves until its standard input ends, then prints what it counted.
"""

import asyncio
import json
import random
import sys
import time
from dataclasses import asdict, dataclass

from aiohttp import web

from evals.bench.process import settle
from evals.bench.replies import body_for
from evals.bench.workload import LATENCY, Fault, Order

BACKLOG = 4096
"""Connections that may wait to be accepted: with fewer, a burst of them is held up for seconds."""
KEEP_ALIVE = 3600.0


@dataclass
class Counts:
    """What the server counted, the warm-up included."""

    requests: int = 0
    peak: int = 0
    """Most requests in flight at once."""
    faults: int = 0
    cpu_s: float = 0.0
    """Seconds of processor time, user and system: well below the wall time, or the server was the bottleneck."""


class Server:
    """Answers each request after the latency of its role, or meets it with a fault."""

    def __init__(self, order: Order) -> None:
        """Take the latencies and faults from an order."""
        self.counts = Counts()
        self._open = 0
        self._order = order
        self._latency = {role: seconds * order.latency_scale for role, seconds in LATENCY.items()}
        self._random = random.Random(order.seed)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if request.path != "/v1/chat/completions":
            # Some clients ask what kind of server this is: an ordinary one, which has no such page.
            return web.Response(status=404)
        self._open += 1
        self.counts.requests += 1
        self.counts.peak = max(self.counts.peak, self._open)
        try:
            role, content = body_for(await request.read())
            if self._order.fault_rate and self._random.random() < self._order.fault_rate:
                self.counts.faults += 1
                return await _fault(self._order.fault, request)
            await asyncio.sleep(self._latency[role])
            return web.Response(body=content, content_type="application/json")
        finally:
            self._open -= 1


async def _fault(fault: Fault, request: web.BaseRequest) -> web.StreamResponse:
    if fault == "drop" and request.transport is not None:
        request.transport.abort()
    if fault in ("drop", "hang"):
        # Until the client has gone, which cancels this.
        await asyncio.Event().wait()
    return web.json_response({"error": {"message": "a fault as ordered", "code": int(fault)}}, status=int(fault))


async def serve(order: Order) -> None:
    """Serve on a free port of the loopback interface until standard input ends."""
    server = Server(order)
    # No routes and no middlewares: whatever is asked, one handler answers.
    runner = web.ServerRunner(
        web.Server(server.handle, handler_cancellation=True, access_log=None, keepalive_timeout=KEEP_ALIVE),
        shutdown_timeout=0.1,
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=BACKLOG).start()
    began = time.process_time()
    _say(str(runner.addresses[0][1]))
    await asyncio.to_thread(sys.stdin.buffer.read)
    server.counts.cpu_s = time.process_time() - began
    _say(json.dumps(asdict(server.counts)))
    await runner.cleanup()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    settle(sys.argv[2])
    asyncio.run(serve(Order(**json.loads(sys.argv[1]))))

"""A Redis server of the tests' own, from the program that the machine has."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.services.ports import free_port

START_TIMEOUT_S = 30


class RedisServer:
    """A server that keeps everything in memory.

    Attributes:
        url: Its address.
    """

    def __init__(self, program: str) -> None:
        """Choose a free port."""
        self._program = program
        self.port = free_port()
        self.url = f"redis://:secret-word@127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"--bind 127.0.0.1 --port {self.port} --requirepass secret-word --appendonly no"
        self._process = subprocess.Popen(
            [self._program, *options.split(), "--save", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert self._process.poll() is None and time.monotonic() < until, "redis-server did not start"
                time.sleep(0.02)

    def stop(self) -> None:
        """End it at once."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def wait_for(self, pattern: str, field: str) -> None:
        """Wait until a hash has a field other than 0, under any key of a pattern."""
        import redis.asyncio

        async with redis.asyncio.Redis.from_url(self.url) as client, asyncio.timeout(START_TIMEOUT_S):
            while True:
                keys = [key async for key in client.scan_iter(pattern)]
                if any([int(await client.hget(key, field) or 0) for key in keys]):
                    return
                await asyncio.sleep(0.01)


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a server.

    Raises:
        LookupError: The machine has no program of it, or not the package to ask it.
    """
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise LookupError("redis-server is not installed")
    server = RedisServer(program)
    try:
        server.start()
        yield server
    finally:
        server.stop()

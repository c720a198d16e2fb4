"""Several processes that ask one endpoint: one limit for all of them, on a Redis server or by shares."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest

from tests.support.command import STEADY, environment
from tests.support.forked import Forked, fork
from tests.support.redis_server import RedisServer, redis_server
from tests.support.server import ModelServer, Reply, outline

PARTS = [f"What is part {number}?" for number in range(1, 9)]
PROGRAM = """
import asyncio, json, sys
from graphs import graph

async def main():
    runs = [graph.ainvoke({"question": f"Question {sys.argv[1]} {number}?"}) for number in range(int(sys.argv[2]))]
    solutions = await asyncio.gather(*runs)
    degrees = [[degree.degree, degree.reason] for one in solutions for degree in one["report"].degrees]
    print(json.dumps({"outcomes": [one["outcome"] for one in solutions], "degrees": degrees}))

asyncio.run(main())
"""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    pytest.importorskip("redis")
    try:
        with redis_server() as running:
            yield running
    except LookupError as missing:
        pytest.skip(str(missing))


def split(server: ModelServer, delay: float) -> None:
    server.on("assess", outline(*PARTS))
    for part in PARTS:
        server.on(part, Reply(f"Result: {part}", delay=delay))


async def start(server: ModelServer, count: int, runs: int, **more: str) -> list[Forked]:
    env = environment(server, APR_WORKERS=str(count), **STEADY, **more)
    return [await fork(str(number), str(number), str(runs), env=env, code=PROGRAM) for number in range(count)]


async def end(process: Forked) -> tuple[dict[str, list[str]], str]:
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out), err.decode()


async def test_slots_are_shared(server: ModelServer, redis: RedisServer) -> None:
    server.slots = 5
    split(server, 0.1)
    began = time.perf_counter()
    ended = await asyncio.gather(*map(end, await start(server, 4, 3, APR_REDIS_URL=redis.url)))
    print(time.perf_counter() - began, len(server.asked), server.peak, ended)
    assert all(told["outcomes"] == ["complete"] * 3 for told, _ in ended)
    assert server.peak == 5 and not server.refused

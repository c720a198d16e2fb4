"""A run whose threads work in several processes: its tokens, equal threads, second copies."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.server import HANG, ModelServer, Reply, outline
from tests.support.services.redis_server import RedisServer
from tests.support.subjects.workers import begin, begin_threads, counting_server

CALL = Reply("Result: it.", prompt_tokens=900, completion_tokens=100)
PARTS = ["What is one?", "What is two?"]


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with counting_server() as redis:
        yield redis


async def test_the_tokens_of_a_run_are_those_that_all_workers_use(server: ModelServer, running: RedisServer) -> None:
    server.on("solve", CALL)
    limited = {"max_total_tokens": 2_500}
    for id in ("T1", "T2"):
        worker = await begin_threads(server, id, run="tokens", planned=4, workers=2, redis=running.url, context=limited)
        assert (await worker.end()).outcomes == {"answered"}
    last = [
        await begin_threads(server, "T3", run="tokens", planned=4, workers=2, redis=running.url, context=limited),
        await begin_threads(server, "T3", run="another", planned=4, workers=2, redis=running.url, context=limited),
    ]
    refused, other = [(await worker.end()).runs[0] for worker in last]
    assert refused["outcome"] == "failed" and "(2,000 used, " in refused["error"] and other["outcome"] == "answered"
    assert len(server.calls("solve")) == 3


async def test_without_a_redis_server_a_worker_uses_the_part_of_its_threads(server: ModelServer) -> None:
    server.on("solve", CALL)
    limited = {"max_total_tokens": 6_000}
    worker = await begin_threads(server, "T1", "T2", "T3", run="parts", planned=6, workers=2, context=limited)
    told = await worker.end()
    # Of 6,000 tokens 3/6 are for its three threads.
    assert [run["outcome"] for run in told.runs] == ["answered", "answered", "answered"]
    small = {"max_total_tokens": 3_000}
    worker = await begin_threads(server, "T1", "T2", "T3", run="few", planned=6, workers=2, context=small)
    told = await worker.end()
    assert sorted(run["outcome"] for run in told.runs) == ["answered", "failed", "failed"]
    assert ["3/6 for the threads of this worker" in run["error"] for run in told.runs].count(True) == 2


async def test_equal_threads_of_several_workers_make_one_call(server: ModelServer, running: RedisServer) -> None:
    server.on("assess", outline(*PARTS))
    for part in PARTS:
        server.on(part, HANG, Reply("Result: it.", delay=0.3))
    first = await begin(server, "All?", workers=3, redis=running.url, context={"cache": True})
    await server.wait_for(2, "solve")
    others = [await begin(server, "All?", workers=3, redis=running.url, context={"cache": True}) for _ in range(2)]
    await server.wait_for(3, "assess")
    assert len(server.calls("solve")) == 2
    # One of those who wait asks in its place, and the other goes on waiting.
    first.process.kill()
    ended = await asyncio.gather(*(worker.end() for worker in others))
    assert all(told.outcomes == {"complete"} for told in ended)
    assert len(server.calls("solve")) == 4
    assert sum(run["cached"] for told in ended for run in told.runs) == 2


async def test_a_worker_that_sees_no_sibling_sends_no_second_copy(server: ModelServer) -> None:
    server.on("solve", "Result: it.")
    server.on("What is T2?", Reply("Result: it.", delay=1.5), HANG, "Result: it.")
    hedged = {"hedge": 1.5}
    told = await (await begin_threads(server, "T1", "T2", run="late", planned=8, workers=4, context=hedged)).end()
    assert told.outcomes == {"answered"} and not any(run["hedged"] for run in told.runs)
    told = await (await begin_threads(server, "T1", "T2", run="late", planned=2, workers=4, context=hedged)).end()
    assert told.outcomes == {"answered"} and sum(run["hedged"] for run in told.runs) == 1

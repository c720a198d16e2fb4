"""Several processes that ask one endpoint: one limit for all of them, on a Redis server or by shares."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.command import apr
from tests.support.server import Fault, ModelServer, Reply
from tests.support.services.redis_server import RedisServer
from tests.support.subjects.workers import begin, counting_server


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with counting_server() as redis:
        yield redis


def questions(name: str, count: int) -> list[str]:
    return [f"{name} {number}?" for number in range(count)]


async def test_slots_are_those_of_all_workers(server: ModelServer, running: RedisServer) -> None:
    server.slots = 3
    server.on("direct", Reply("Yes.", delay=0.1))
    workers = [
        await begin(server, *questions(f"Is {number}", 4), workers=3, redis=running.url, sequential=True)
        for number in range(3)
    ]
    ended = await asyncio.gather(*(worker.end() for worker in workers))
    assert all(told.outcomes == {"complete"} and not told.warnings for told in ended)
    assert server.peak == 3 and len(server.calls()) == 12
    assert all(run["degrees"] == [[3, "the server has 3 slots"]] for told in ended for run in told.runs)


async def test_what_one_worker_learns_the_others_know(server: ModelServer, running: RedisServer) -> None:
    server.allows = 6
    server.on("direct", Reply("Yes.", delay=0.1))
    first = await begin(server, *questions("Is", 20), workers=2, redis=running.url, sequential=True)
    assert (await first.end()).outcomes == {"complete"} and len(server.refused) >= 10
    server.refused.clear()
    second = [await begin(server, *questions(name, 10), workers=2, redis=running.url, sequential=True) for name in "AB"]
    ended = await asyncio.gather(*(worker.end() for worker in second))
    assert all(told.outcomes == {"complete"} for told in ended)
    # Alone, each would have sent all of its ten at first. The limit rises by one a round, and is refused above six.
    assert len(server.refused) <= 5 and server.peak <= 6
    assert all(degree and degree < 10 for told in ended for run in told.runs for degree, _ in run["degrees"])


async def test_a_pause_that_a_server_asks_for_holds_for_all(server: ModelServer, running: RedisServer) -> None:
    server.on("direct", Fault(status=429, headers={"Retry-After": "2"}), "Yes.")
    first = await begin(server, "Is it?", workers=2, redis=running.url, sequential=True)
    await running.wait_for("apr:slots:*:state", "shut")
    second = await begin(server, "Is this?", workers=2, redis=running.url, sequential=True)
    ended = await asyncio.gather(first.end(), second.end())
    assert all(told.outcomes == {"complete"} for told in ended)
    at = [request.at for request in server.asked]
    assert at[1] - at[0] > 1.9


async def test_the_slots_of_a_worker_that_is_killed_come_free(server: ModelServer, running: RedisServer) -> None:
    server.slots = 2
    held = asyncio.Event()
    server.on("direct", Reply("Yes.", held=held), Reply("Yes.", held=held), "Yes.")
    killed = await begin(server, *questions("Is", 2), workers=2, redis=running.url, sequential=True)
    await server.wait_for(2)
    other = await begin(server, *questions("Was", 4), workers=2, redis=running.url, sequential=True)
    killed.process.kill()
    assert (await other.end()).outcomes == {"complete"}
    assert server.peak == 2
    # Its leases had to end first: nobody could know that it was dead, and not only busy.
    assert server.asked[2].at - server.asked[1].at > 5


async def test_without_the_redis_server_each_worker_goes_on_with_its_share(server: ModelServer) -> None:
    server.slots = 4
    held = asyncio.Event()
    server.on("direct", *[Reply("Yes.", held=held)] * 4, Reply("Yes.", delay=0.05))
    with counting_server() as redis:
        workers = [
            await begin(server, *questions(name, 8), workers=2, redis=redis.url, sequential=True) for name in "AB"
        ]
        await server.wait_for(4)
        redis.stop()
        held.set()
        ended = await asyncio.gather(*(worker.end() for worker in workers))
    assert all(told.outcomes == {"complete"} for told in ended) and len(server.calls()) == 16
    # What is lent at the moment may all be one worker's, and the other begins with its share.
    assert server.peak <= 6
    for told in ended:
        assert [line for line in told.warnings if "keeps to 1/2" in line] == told.warnings
        assert len(told.warnings) == 1 and "secret-word" not in told.warnings[0]
        assert [2, "the server has 4 slots, for 2 workers"] in [run["degrees"][-1] for run in told.runs]


async def test_workers_without_a_redis_server_take_their_shares(server: ModelServer) -> None:
    server.slots = 4
    server.on("direct", Reply("Yes.", delay=0.1))
    worker = await begin(server, *questions("Is", 6), workers=2, sequential=True)
    told = await worker.end()
    assert told.outcomes == {"complete"} and server.peak == 2
    [warning] = told.warnings
    assert "APR_WORKERS is 2 and APR_REDIS_URL is not set" in warning and "redis" not in told.loaded


async def test_one_process_has_all_and_loads_nothing(server: ModelServer) -> None:
    server.slots = 4
    server.on("direct", Reply("Yes.", delay=0.1))
    told = await (
        await begin(server, *questions("Is", 6), workers=0, redis="redis://127.0.0.1:9/0", sequential=True)
    ).end()
    assert told.outcomes == {"complete"} and server.peak == 4 and not told.warnings and not told.loaded


@pytest.mark.parametrize("wrong", ["many", "0", "1.5", "99999"])
async def test_a_number_of_workers_that_is_none_is_told_before_a_call(server: ModelServer, wrong: str) -> None:
    status, _, err = await apr(server, "Is it?", APR_WORKERS=wrong)
    assert status != 0 and f"APR_WORKERS is '{wrong}'; allowed are whole numbers from 1 to 10,000" in err
    assert not server.calls()
    status, out, _ = await apr(server, "doctor", APR_WORKERS=wrong)
    assert status != 0 and "APR_WORKERS is" in out

"""One limit for each endpoint: what overloads it, what it tells of itself, and who waits for whom."""

import asyncio
import json
import time
from typing import Any

from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from graphs import graph, sequential
from nodes.llm.limits.retries import MAX_TRIES_OF_A_KIND
from nodes.llm.limits.window import Ceilings, Window
from tests.support.server import Fault, ModelServer, Reply, model_server, outline, serving

PARTS = [f"What is part {number}?" for number in range(1, 65)]


def split(server: ModelServer, count: int, delay: float) -> None:
    server.on("assess", outline(*PARTS[:count]))
    for part in PARTS[:count]:
        server.on(part, Reply(f"Result: {part}", delay=delay))


async def ask(context: dict[str, Any], question: str = "Tell me all.") -> Any:
    return await graph.ainvoke({"question": question}, context=context)


async def test_many_runs_settle_under_what_the_server_allows(server: ModelServer, context: dict[str, Any]) -> None:
    server.allows = 20
    split(server, 8, 0.2)
    server.on("assess", Reply(json.dumps(outline(*PARTS[:8])), delay=0.3))
    began = time.perf_counter()
    solutions = await asyncio.gather(*(ask(context, f"Question {number}?") for number in range(32)))
    assert {solution["outcome"] for solution in solutions} == {"complete"}
    assert sum(solution["report"].threads_used for solution in solutions) == 32 * 8
    assert server.peak <= 20
    assert len(server.calls()) == 32 * 10  # what was refused is not among them: each call was answered once
    late = sorted(request.at for request in server.asked)[2 * len(server.asked) // 3]
    refused = sum(at > late for at in server.refused)
    answered = sum(request.at > late for request in server.asked)
    assert answered > 50 and refused <= 0.1 * (refused + answered)
    degrees = [degree for solution in solutions for degree in solution["report"].degrees]
    # What a slow machine is still sending is not at the server yet, so somewhat more may be open than it allows.
    assert all(degree.degree is not None and degree.degree <= 30 for degree in degrees if degree.at_s > late - began)
    assert any(degree.reason == "refused with HTTP 429" for degree in degrees)


async def test_a_large_run_does_not_hold_up_small_ones(server: ModelServer, context: dict[str, Any]) -> None:
    large = asyncio.create_task(fair(server, context))
    await server.wait_for(12, "solve")
    # One that finds the server idle would be tried without an outline first.
    small = [asyncio.create_task(ask({**context, "head_start": "off"}, "Small?")) for _ in range(10)]
    done, _ = await asyncio.wait({large, *small}, return_when=asyncio.ALL_COMPLETED)
    assert all(task.result()["outcome"] == "complete" for task in done)
    order = [request.key for request in server.asked]
    assert len(server.calls("direct")) == 10
    assert max(index for index, key in enumerate(order) if key == "direct") < order.index("review") - 10


async def fair(server: ModelServer, context: dict[str, Any]) -> Any:
    """Ask a question of 64 parts of a server that tells eight slots."""
    for part in PARTS:
        server.on(part, Reply("Result: done", delay=0.1))
    server.on(
        "assess",
        outline(*PARTS),
        outline(),
    )
    server.slots = 8
    return await ask({**context, "max_threads": 64, "max_parallel": 64})


async def test_a_server_is_not_asked_for_more_than_its_slots(server: ModelServer, context: dict[str, Any]) -> None:
    server.slots = 3
    split(server, 8, 0.05)
    solutions = await asyncio.gather(*(ask(context) for _ in range(3)))
    assert {solution["outcome"] for solution in solutions} == {"complete"}
    assert server.peak == 3
    assert solutions[0]["report"].degrees[0].reason == "the server has 3 slots"


async def test_waiting_for_a_turn_does_not_count_towards_time_limits(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.slots = 1
    server.on("direct", Reply("Yes.", delay=0.4))
    solutions = await asyncio.gather(
        *(sequential.ainvoke({"question": "Is it?"}, context={**context, "request_timeout": 1}) for _ in range(6))
    )
    assert [solution["outcome"] for solution in solutions] == ["complete"] * 6
    assert max(solution["report"].wall_s for solution in solutions) > 2


async def test_requests_a_minute_are_kept(server: ModelServer, context: dict[str, Any]) -> None:
    limited = {**context, "requests_per_minute": 4}
    runs = [asyncio.create_task(ask(limited)) for _ in range(4)]
    await server.wait_for(4)
    _, waiting = await asyncio.wait(runs, timeout=0.3)
    assert waiting and len(server.asked) == 4
    for run in waiting:
        run.cancel()


async def test_an_overloaded_server_gets_fewer_requests(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 8, 0.05)
    server.on(PARTS[0], Fault(status=503), "Result: 1")
    solution = await ask({**context, "max_parallel": 8})
    assert solution["outcome"] == "complete"
    assert ("refused as overloaded (HTTP 503)", 4) in [(d.reason, d.degree) for d in solution["report"].degrees]


async def test_an_account_without_quota_is_not_asked_again(server: ModelServer, context: dict[str, Any]) -> None:
    body = json.dumps({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})
    server.on("assess", Fault(status=429, body=body))
    solution = await ask(context)
    assert solution["outcome"] == "failed" and "no quota left" in solution["stop_reason"]
    assert len(server.asked) == 1


async def test_a_server_that_is_none_of_llama_cpps_is_asked_for_its_slots_once() -> None:
    asked: list[str] = []

    async def anything(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response(["no", "slots"])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", anything)
    async with serving(app) as address:
        for _ in range(2):
            await sequential.ainvoke({"question": "?"}, context={"model": "openai:x", "base_url": f"{address}/v1"})
    assert asked.count("/props") == 1 and asked.count("/v1/chat/completions") == 2 * MAX_TRIES_OF_A_KIND["bad_reply"]


async def test_runs_in_several_event_loops_share_one_limit() -> None:
    """Each in a thread of its own, as servers run them."""
    async with model_server() as server:
        server.slots = 2
        server.on("direct", Reply("Yes.", delay=0.1))
        context = {"model": "openai:scripted", "base_url": server.url}

        def run() -> Any:
            return asyncio.run(sequential.ainvoke({"question": "Is it?"}, context=context))

        solutions = await asyncio.gather(*(asyncio.to_thread(run) for _ in range(6)))
        assert [solution["outcome"] for solution in solutions] == ["complete"] * 6
        assert server.peak == 2


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 50)), max_size=60), st.integers(1, 8), st.integers(10, 100))
def test_no_minute_holds_more_than_its_ceilings(arrivals: list[tuple[float, int]], requests: int, tokens: int) -> None:
    window, now, sent = Window(), 0.0, []
    for gap, size in arrivals:
        now += gap
        while (hold := window.hold(now, size, Ceilings(requests, tokens))) > 0:
            now += hold
        window.note(now, size)
        sent.append((now, size))
    for start, _ in sent:
        minute = [size for at, size in sent if start <= at < start + 60]
        assert len(minute) <= requests
        assert sum(minute) <= tokens or len(minute) == 1


def test_an_estimate_is_replaced_by_what_was_counted() -> None:
    window = Window()
    sent = window.note(0.0, 90)
    assert window.hold(1.0, 20, Ceilings(tokens=100)) == 59.0
    window.correct(sent, 10)
    assert window.hold(1.0, 20, Ceilings(tokens=100)) == 0

"""What calls leave behind: no open request, no client, no task; and nothing blocks the loop meanwhile."""

import asyncio
import gc
import subprocess
import sys
import textwrap
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from graphs import graph
from nodes.llm import clients
from nodes.llm.servers import connections
from tests.support.server import HANG, Fault, ModelServer
from tests.support.subjects.calls import PARTS, ask, both_ways, split


@both_ways
async def test_a_cancelled_run_closes_its_requests_and_leaves_no_task(
    server: ModelServer, context: dict[str, Any], streaming: bool
) -> None:
    split(server, *PARTS)
    for part in PARTS:
        server.on(part, HANG)
    before = asyncio.all_tasks()
    running = asyncio.create_task(ask(context, graph, streaming=streaming))
    await server.wait_for(3, "solve")
    assert server.open == 3
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await server.wait_until_idle()
    assert [request.dropped for request in server.calls("solve")] == [True] * 3
    assert len(server.asked) == 4
    left = {repr(task.get_coro()) for task in asyncio.all_tasks() - before}
    assert not {name for name in left if "RequestHandler.start" not in name}  # the server's own


SCRIPT = """
    import logging
    # A busy machine makes steps slow; that is no fault. What is left pending or unclosed is an error, and told.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    import asyncio, gc, sys, warnings
    warnings.simplefilter("error")
    from graphs import graph

    async def ask(model, streaming):
        context = {"model": model, "base_url": sys.argv[1]}
        if not streaming:
            return await graph.ainvoke({"question": "?"}, context=context)
        async for _, last in graph.astream({"question": "?"}, context=context, stream_mode=["messages", "values"]):
            pass
        return last

    for model in ("openai:x", "deepseek:x"):
        for streaming in (False, True, False):
            print(asyncio.run(ask(model, streaming))["outcome"])
            gc.collect()
"""


async def test_clients_that_nobody_uses_are_closed_and_limits_are_forgotten(
    monkeypatch: pytest.MonkeyPatch, server: ModelServer
) -> None:
    monkeypatch.setattr(clients._limiters, "most", 5)
    monkeypatch.setattr(clients, "MAX_CLIENTS", 3)
    opened: list[weakref.ref[Any]] = []
    real = connections._http_client

    def noted(endpoint: Any) -> Any:
        http = real(endpoint)
        opened.append(weakref.ref(http))
        return http

    monkeypatch.setattr(connections, "_http_client", noted)
    port = server.url.rpartition(":")[2]
    for number in range(2, 12):
        context = {"model": "openai:scripted", "base_url": f"http://127.0.0.{number}:{port}"}
        assert (await ask({**context, "request_timeout": 1}))["outcome"] == "failed"
    gc.collect()
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        while connections._closing:
            await asyncio.gather(*connections._closing)
    gc.collect()
    assert len(opened) == 10 and len(clients._limiters) <= 5
    left = [http for http in (one() for one in opened) if http is not None]
    assert sum(not http.is_closed for http in left) <= 3


async def test_one_process_can_run_several_loops_forgets_nothing_and_leaves_nothing_open(server: ModelServer) -> None:
    server.refuses = {"response_format"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-c", textwrap.dedent(SCRIPT), server.url),
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out.decode().split(), err.decode()) == (0, ["complete"] * 6, "")
    assert ["tools" in request.body for request in server.calls("assess")] == [False, True, True, True] * 2


@pytest.fixture
def no_blocking() -> Iterator[None]:
    """Make every blocking call in the event loop an error, as `langgraph dev` does."""
    with blockbuster_ctx():
        yield


@both_ways
@pytest.mark.parametrize("model", ["openai:blocks", "deepseek:blocks"])
async def test_nothing_blocks_the_event_loop(
    server: ModelServer, context: dict[str, Any], no_blocking: None, model: str, streaming: bool
) -> None:
    split(server, *PARTS)
    server.on(PARTS[0], Fault(status=500, headers={"Retry-After": "0"}), "Result: 1")
    context = {**context, "model": model}
    solution = await ask(context, graph, streaming=streaming)
    assert (solution["outcome"], len(solution["threads"])) == ("complete", 3)

"""The benchmark: the command from end to end, its table and bounds, and the faults of its server."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from evals.bench.runner import Sample
from evals.bench.table import Bound, Cell, bounds, table
from evals.bench.workload import CALLS, Fault, Order

PROJECT = Path(__file__).parents[2]


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "evals.bench", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.full
def test_the_command_measures_clients_side_by_side(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    ended = bench("--runs", "1", "--clients", "graph", "openai", "--latency-scale", "0.02", "--json", str(figures))
    assert ended.returncode == 0, ended.stderr
    assert "| this graph | " in ended.stdout and "| openai SDK + asyncio.gather | " in ended.stdout
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert [(cell["client"], cell["runs"]) for cell in told["measurements"]] == [("graph", 1), ("openai", 1)]
    for cell in told["measurements"]:
        [sample] = cell["samples"]
        assert cell["problem"] == "" and sample["incomplete"] == 0
        assert sample["requests"] == 2 * CALLS and sample["peak"] == 8
        assert sample["multiple"] == pytest.approx(sample["wall_s"] / 0.044)
        assert sample["multiple"] >= 1 and sample["cpu_ms"] > 0 and sample["rss_mb"] > 20
    assert told["bounds"] == []


def test_a_client_that_is_not_done_in_time_is_marked_so_and_misses_its_bounds() -> None:
    ended = bench("--runs", "64", "--clients", "graph", "--time-limit", "1")
    assert "| this graph | > 1 s |" in ended.stdout
    assert "missed" in ended.stdout and ended.returncode == 1


def test_an_unknown_client_is_refused_by_name() -> None:
    ended = bench("--clients", "curl")
    assert ended.returncode == 2 and "curl" in ended.stderr and "langgraph-aiohttp" in ended.stderr


def sample(multiple: float, cpu_ms: float = 40, rss_mb: float = 100, incomplete: int = 0) -> Sample:
    return Sample(
        wall_s=multiple * 2.2,
        multiple=multiple,
        cpu_ms=cpu_ms,
        rss_mb=rss_mb,
        incomplete=incomplete,
        error="",
        requests=1,
        peak=1,
        faults=0,
        server_busy=0.1,
    )


def test_the_table_shows_the_best_times_and_what_is_missing() -> None:
    cells = [
        Cell("graph", 1, [sample(1.2, 50, 90), sample(1.02, 44, 100)]),
        Cell("graph", 64, [sample(1.9, incomplete=3)]),
        Cell("slow", 64, problem="> 180 s"),
    ]
    assert table(cells, {"graph": "this graph", "slow": "a slow one"}).splitlines() == [
        "| client | 1 run | 64 runs at once |",
        "| --- | --- | --- |",
        "| this graph | 1.02 × · 44 ms · 100 MB | 1.90 × · 40 ms · 100 MB · **3 of 64 incomplete** |",
        "| a slow one | – | > 180 s |",
    ]


def test_only_the_bounds_of_this_graph_that_were_measured_are_judged() -> None:
    def met(*cells: Cell) -> list[tuple[float, bool]]:
        return [(bound.limit, bound.met) for bound in bounds(cells)]

    one, many = Cell("graph", 1, [sample(1.05)]), Cell("graph", 64, [sample(2.3, 50, 251)])
    assert met(one, Cell("openai", 64, [sample(9)])) == [(1.05, True)]
    assert met(many) == [(2.2, False), (55, True), (250, False)]
    assert met(many, Cell("graph", 256, [sample(6, 49)]))[-1] == (1.25, True)
    assert met(many, Cell("graph", 256, [sample(6, 99)]))[-1] == (1.25, False)
    assert bounds([Cell("graph", 64, [sample(1, incomplete=2)])]) == [Bound("runs without an answer at 64", 0, 2)]


@asynccontextmanager
async def server(order: Order) -> AsyncIterator[tuple[str, Any]]:
    """Run the benchmark's server; yields its address and what reads its counts once it has been told to end."""
    command = [sys.executable, "-m", "evals.bench.server", json.dumps(asdict(order)), ""]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=PROJECT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None

    async def counts() -> Any:
        return json.loads((await process.communicate(b""))[0])

    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}/v1/chat/completions", counts
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ask(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> str:
    """Return the text of a reply, or how it failed."""
    try:
        async with session.post(url, json=body) as response:
            reply = await response.json()
            return str(reply["choices"][0]["message"]["content"]) if response.ok else str(response.status)
    except TimeoutError:
        return "hang"
    except aiohttp.ClientError:
        return "drop"


async def replies(url: str, bodies: Sequence[dict[str, Any]]) -> list[str]:
    # Replies come at once, so silence for a second is a reply that never comes.
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_read=1)) as session:
        return [await ask(session, url, body) for body in bodies]


@pytest.mark.parametrize("fault", ["429", "500", "drop", "hang"])
async def test_the_server_meets_a_chosen_share_of_requests_with_a_fault(fault: Fault) -> None:
    order = Order("graph", 1, latency_scale=0.001, fault=fault, fault_rate=0.1, seed=4)
    async with server(order) as (url, counts):
        ends = Counter(await replies(url, [{"model": "solve", "messages": []}] * 20))
        told = await counts()
    faults = ends.pop(fault)
    assert told["faults"] == faults and 1 <= faults <= 6
    assert told["requests"] == 20 and ends.total() == 20 - faults


async def test_the_server_counts_nothing_but_model_calls() -> None:
    async with server(Order("graph", 1)) as (url, counts), aiohttp.ClientSession() as session:
        async with session.get(url.replace("/v1/chat/completions", "/props")) as response:
            assert response.status == 404
        assert (await counts())["requests"] == 0


async def test_the_server_tells_roles_by_schema_then_by_model() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "Outline", "schema": {}}}
    trap = [{"role": "user", "content": 'say {"name": "Review", "model": "review"}'}]
    bodies: list[dict[str, Any]] = [
        {"model": "review", "messages": trap, "response_format": schema},
        {"model": "review", "messages": trap},
        {"messages": trap, "model": "bench"},
    ]
    async with server(Order("graph", 1, latency_scale=0.001)) as (url, _):
        outline, named, thread = await replies(url, bodies)
    assert len(json.loads(outline)["parts"]) == 8
    assert named.startswith("[[ ## answer ## ]]") and "Result: " in thread

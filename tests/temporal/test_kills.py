"""Runs outlive their workers, the Temporal server, and the network between them; what is finished is not paid twice."""

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from graphs.build import build_graph
from graphs.history.runs import Runs
from graphs.history.store import open_store
from graphs.temporal.wire import StageCall
from graphs.temporal.workflow import AdaptiveRun
from nodes.state import Solution
from tests.support.command import Process
from tests.support.server import ModelServer, Reply, model_server
from tests.support.services.cut import network
from tests.support.services.temporal import Temporal, start_worker, workers
from tests.support.subjects.runs import MORE_KILLS, PARTS, QUESTION, SEED, split

pytestmark = pytest.mark.asyncio(loop_scope="module")

KILLS = 2
LONG_S = 15.0
"""Seconds without a server: longer than Temporal's client tries for."""
CUT_S = 10.0
"""Seconds without a network: twice as long as a worker may be silent."""


@pytest.fixture(autouse=True)
def at_store(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks uses the workers' store."""
    monkeypatch.setenv("APR_STORE", store)


@dataclass
class Kept:
    """What the server has kept of a run's threads, by what each was asked.

    Attributes:
        ended: When its result was kept, in seconds since the epoch.
        attempts: How often it was begun, as far as the server knows.
    """

    ended: dict[str, float] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)


async def read_kept(temporal: Temporal, run: str) -> Kept:
    """Read what the server has kept of a run."""
    client = await Client.connect(temporal.address, data_converter=pydantic_data_converter)
    kept, asked = Kept(), {}
    async for event in client.get_workflow_handle(run).fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            about = event.activity_task_scheduled_event_attributes
            if about.activity_type.name == "solve":
                (call,) = await client.data_converter.decode(about.input.payloads, [StageCall])
                asked[event.event_id] = call.state["spec"]["subquestion"]
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            begun = event.activity_task_started_event_attributes
            if part := asked.get(begun.scheduled_event_id):
                kept.attempts[part] = begun.attempt
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            if part := asked.get(event.activity_task_completed_event_attributes.scheduled_event_id):
                kept.ended[part] = event.event_time.ToNanoseconds() / 1e9
    return kept


def begin(server: ModelServer, engine: str, run: str) -> "asyncio.Task[Any]":
    """Hand a run over."""
    context = {"model": "openai:scripted", "base_url": server.url, "split": "if_independent", "head_start": "off"}
    config = {"configurable": {"thread_id": run}}
    return asyncio.create_task(build_graph(engine=engine).ainvoke({"question": QUESTION}, config, context=context))


async def kill(process: Process) -> float:
    """Kill a worker; returns when, in seconds since the epoch."""
    at = time.time()
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.communicate()
    return at


async def check(server: ModelServer, temporal: Temporal, run: str, values: Any, broken_at: float) -> None:
    """See that a run is whole and can be replayed, and that no thread was asked again whose result had been kept."""
    solution = Solution.model_validate(values)
    assert (solution.answer, solution.outcome, len(solution.threads)) == ("All of it.", "complete", 8)
    kept, since = await read_kept(temporal, run), time.time() - time.perf_counter()
    assert set(kept.ended) == set(PARTS)
    for part in PARTS:
        asked = [request.at + since for request in server.about(part)]
        assert all(at <= kept.ended[part] for at in asked), (part, asked, kept)
        if kept.ended[part] < broken_at:
            assert (len(asked), kept.attempts[part]) == (1, 1), (part, asked, kept)
        assert 1 <= len(asked) <= kept.attempts[part], (part, asked, kept)
    await replay(temporal, run)


async def replay(temporal: Temporal, run: str) -> None:
    """Go through a run's history once more, as a worker does that takes a run over: it decides the same each time."""
    client = await Client.connect(temporal.address, data_converter=pydantic_data_converter)
    replayer = Replayer(
        workflows=[AdaptiveRun],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
    )
    await replayer.replay_workflow(await client.get_workflow_handle(run).fetch_history())


@pytest.mark.parametrize(
    "number", [*range(KILLS), *(pytest.param(number, marks=pytest.mark.full) for number in range(KILLS, MORE_KILLS))]
)
async def test_a_run_outlives_one_of_its_workers(temporal: Temporal, engine: str, store: str, number: int) -> None:
    chance = random.Random(SEED + number)
    async with model_server() as server, workers(server, engine, store, 2) as (first, second):
        split(server)
        for part in PARTS:
            server.on(part, Reply(f"Result: {part}", delay=chance.uniform(0.0, 1.0)))
        running = begin(server, engine, f"run-{number}")
        # Any moment from the first call to the review: 10 calls, or so long after one of them.
        await server.wait_for(chance.randint(1, 10))
        await asyncio.sleep(chance.uniform(0.0, 0.6))
        killed_at = await kill(chance.choice([first, second]))
        await check(server, temporal, f"run-{number}", await running, killed_at)


async def test_a_run_outlives_its_only_worker(temporal: Temporal, engine: str, store: str) -> None:
    async with model_server() as server:
        split(server)
        held = asyncio.Event()
        for part in PARTS[4:]:
            server.on(part, Reply(f"Result: {part}", held=held))
        worker = await start_worker(server, engine, store)
        running = begin(server, engine, "run-alone")
        await server.wait_for(8, "solve")
        await half_is_kept(temporal, "run-alone")
        killed_at = await kill(worker)
        await asyncio.sleep(3)  # nobody works
        held.set()
        async with workers(server, engine, store):
            await check(server, temporal, "run-alone", await running, killed_at)
    assert [len(server.about(part)) for part in PARTS] == [1, 1, 1, 1, 2, 2, 2, 2]


async def half_is_kept(temporal: Temporal, run: str) -> None:
    """Wait until the server has kept the results of the first four threads."""
    async with asyncio.timeout(60):
        # A history tells nobody when it grows.
        while not set(PARTS[:4]) <= set((await read_kept(temporal, run)).ended):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.mark.full
@pytest.mark.parametrize("away_s", [0.0, LONG_S])
async def test_a_run_outlives_the_server(temporal: Temporal, engine: str, store: str, away_s: float) -> None:
    async with model_server() as server, workers(server, engine, store, 2):
        split(server)
        held = asyncio.Event()
        for part in PARTS[4:]:
            server.on(part, Reply(f"Result: {part}", held=held))
        running = begin(server, engine, f"run-away-{away_s:.0f}")
        await server.wait_for(8, "solve")
        await half_is_kept(temporal, f"run-away-{away_s:.0f}")
        broken_at = time.time()
        await temporal.stop()
        held.set()
        await server.wait_until_idle()
        await asyncio.sleep(away_s)
        await temporal.start()
        await check(server, temporal, f"run-away-{away_s:.0f}", await running, broken_at)
    async with open_store(store) as opened:
        assert [entry.outcome for entry in await Runs(opened).all()] == ["complete"]


@pytest.mark.full
async def test_a_run_outlives_a_cut_network(temporal: Temporal, engine: str, store: str) -> None:
    async with model_server() as server, network(temporal.address) as cable, workers(server, engine, store) as (near,):
        far = await start_worker(server, engine.replace(temporal.address, cable.address), store)
        split(server)
        held = asyncio.Event()
        for part in PARTS:
            server.on(part, Reply(f"Result: {part}", held=held))
        running = begin(server, engine, "run-cut")
        await server.wait_for(8, "solve")
        cable.cut()
        cut_at = time.time()
        held.set()
        await check(server, temporal, "run-cut", await running, cut_at)
        await asyncio.sleep(max(0.0, cut_at + CUT_S - time.time()))
        cable.mend()
        await kill(near)
        # Who was cut off works again, and asks nothing of what others have done meanwhile.
        asked = len(server.asked)
        again = begin(server, engine, "run-mended")
        assert Solution.model_validate(await again).outcome == "complete" and len(server.asked) == asked + 10
        await kill(far)

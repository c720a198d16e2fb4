"""Runs at workers from the shell, workers that are told to stop, and one trace for all of them."""

import asyncio
import signal
from typing import Any

import pytest

from graphs.build import build_graph
from tests.support.command import STEADY, apr, environment, launch, start
from tests.support.server import HANG, ModelServer, Reply, outline, review
from tests.support.services.temporal import start_worker, workers
from tests.support.services.traces import trace_server
from tests.support.subjects.stopping import Running

PARTS = ["What is the capital of France?", "What is 12 * 7?", "Who wrote Hamlet?"]
QUESTION = " ".join(PARTS)


async def test_the_command_leaves_a_run_comes_back_and_stops_one(server: ModelServer, engine: str, store: str) -> None:
    steady = {"APR_SPLIT": "if_independent", "APR_HEAD_START": "off", "APR_ENGINE": engine}
    held = asyncio.Event()
    server.on("assess", outline(*PARTS)).on("review", review("All of it."))
    server.on(PARTS[0], Reply("Result: Paris", held=held))
    async with workers(server, engine, store):
        process = await start(server, QUESTION, "--store", store, **steady)
        await server.wait_for(3, "solve")
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        run = err.decode().split("apr resume ")[1].split()[0]
        assert f"left; the run goes on at its workers: apr resume {run} comes back to it" in err.decode()
        assert "  running   " in (await apr(server, "runs", "--store", store))[1]
        held.set()
        assert (await apr(server, "resume", run, "--store", store))[:2] == (0, "All of it.\n")
        assert (await apr(server, "show", run, "--store", store))[:2] == (0, "All of it.\n")
        assert len(server.calls("assess")) == 1
        server.on(PARTS[0], HANG)
        process = await start(server, QUESTION, "--store", store, **steady)
        await server.wait_for(6, "solve")
        running = (await apr(server, "runs", "--store", store))[1].split()[0]
        assert (await apr(server, "cancel", running, "--store", store))[:2] == (0, f"run {running} stops\n")
        _, err = await process.communicate()
        assert "the run was stopped" in err.decode() and process.returncode == 2
        await server.wait_until_idle()
        status, _, err_again = await apr(server, "cancel", running, "--store", store)
        assert status == 2 and "is not at work" in err_again


async def test_a_worker_that_is_told_to_stop_ends_what_it_does(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    held = asyncio.Event()
    server.on("assess", outline(*PARTS)).on("review", review("All of it."))
    server.on(PARTS[0], Reply("Result: Paris", held=held))
    first = await start_worker(server, engine, store)
    run = Running(steady, graph=build_graph(engine=engine), question=QUESTION)
    await server.wait_for(3, "solve")
    first.send_signal(signal.SIGTERM)
    assert first.stderr is not None and b"takes no more" in await first.stderr.readline()
    async with workers(server, engine, store):
        held.set()
        assert await first.wait() == 0
        solution = await run.task
    assert solution.outcome == "complete" and len(server.about(PARTS[0])) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "http://127.0.0.1:1"], "is no address of a Temporal server; write temporal://HOST:PORT"),
        (["--engine", "temporal://ann:secret@127.0.0.1:1"], "an address holds no key; set TEMPORAL_API_KEY"),
        (["--engine", "temporal://127.0.0.1:x"], "the port of"),
        (["--engine", "temporal://127.0.0.1:1/default"], "no Temporal server answers at 127.0.0.1:1"),
        (["--engine", "temporal://127.0.0.1:1", "--sequential"], "one call needs no workers"),
        (["--engine", "temporal://127.0.0.1:1", "--store", "none"], "set APR_STORE, or --store"),
    ],
)
async def test_what_cannot_be_handed_over_is_said_at_once(server: ModelServer, arguments: list[str], said: str) -> None:
    status, out, err = await apr(server, "Why?", *arguments)
    assert (status, out) == (2, "") and said in err and "Traceback" not in err and "secret" not in err
    assert not server.asked


async def test_the_steps_of_all_workers_hang_under_one_trace(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    server.on("assess", outline(*PARTS)).on("review", review("All of it."))
    async with trace_server() as sent:
        traced = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": sent.url, "LANGSMITH_API_KEY": "lsv2_pt_its_own"}
        async with workers(server, engine, store, 2, **traced) as both:
            asked = f"{QUESTION} They say sk-planted0123456789abcdef."
            env = environment(server, **traced, **STEADY)
            asking = await launch(asked, "--store", store, "--engine", engine, env=env)
            assert (await asking.communicate())[0] == b"All of it.\n"
            for process in both:
                process.send_signal(signal.SIGTERM)
                await process.wait()
    assert sent.root["name"].startswith("adaptive: What is the capital of France? What is 12 * 7?")
    about = sent.root["extra"]["metadata"]
    assert (about["apr_outcome"], about["apr_calls"], sent.root["outputs"]["answer"]) == ("complete", 5, "All of it.")
    steps = sent.below(sent.root)
    nodes = [node["name"] for step in steps for node in sent.below(step)]
    assert sorted(nodes) == ["assess", "decompose", "review", "solve T1", "solve T2", "solve T3"]
    assert b"sk-planted" not in sent.bytes and b"[secret]" in sent.bytes

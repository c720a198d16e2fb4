"""Runs that are killed, stopped or interrupted at any moment go on where they were."""

import asyncio
import contextlib
import random
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from graphs.history.runs import Runs, config
from graphs.history.store import open_store
from tests.support.command import apr, environment, launch, start
from tests.support.server import HANG, ModelServer, Reply, model_server
from tests.support.subjects.runs import (
    KILLS,
    MORE_KILLS,
    PARTS,
    QUESTION,
    SEED,
    at_rest,
    entries,
    finished_threads,
    resumed,
    split,
)


async def killed_and_resumed(place: str, number: int) -> None:
    """Kill a run at a moment that chance chooses; resume it, and see that nothing finished is asked again."""
    chance = random.Random(SEED + number)
    async with model_server() as server:
        split(server)
        for part in PARTS:
            server.on(part, Reply(f"Result: {part}", delay=chance.uniform(0.0, 0.6)))
        process = await launch(QUESTION, "--store", place, env=environment(server), real=number == 0)
        # Any moment from the first call to the review: 10 calls, or so long after one of them.
        await server.wait_for(chance.randint(1, 10))
        await asyncio.sleep(chance.uniform(0.0, 0.6))
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
        before = {part: len(server.about(part)) for part in PARTS}
        (entry,) = await at_rest(place)
        if entry.outcome == "complete":  # it was quicker
            await apr(server, "prune", "--keep", "0", "--store", place)
            return
        kept = await finished_threads(place, entry.id)
        solution = await resumed(place, entry.id)
        assert (solution["answer"], solution["outcome"], len(solution["threads"])) == ("All of it.", "complete", 8)
        for part in PARTS:
            again = len(server.about(part)) - before[part]
            assert again == (0 if part in kept else 1), (number, part, again, part in kept)


@pytest.mark.at_most(2)
@pytest.mark.parametrize(
    "number", [*range(KILLS), *(pytest.param(number, marks=pytest.mark.full) for number in range(KILLS, MORE_KILLS))]
)
async def test_a_killed_run_is_resumed_without_asking_again(place: str, number: int) -> None:
    await killed_and_resumed(place, number)


async def test_a_run_killed_when_all_threads_had_ended_asks_none_again(server: ModelServer, tmp_path: Path) -> None:
    place = str(tmp_path / "runs.sqlite")
    split(server)
    assert (await apr(server, QUESTION, "--store", place))[0] == 0
    (entry,) = await at_rest(place)
    async with open_store(place) as store:
        runs = Runs(store)
        history = [one async for one in runs.graph(entry).aget_state_history(config(entry))]
        (at,) = [one.config["configurable"]["checkpoint_id"] for one in history if len(one.tasks) == 8]
        await runs._write(entry.model_copy(update={"outcome": "running"}))
    # What a process leaves that dies before it has kept the step after its last thread.
    with contextlib.closing(sqlite3.connect(place)) as connection, connection:
        for table in ("checkpoints", "writes"):
            connection.execute(f"DELETE FROM {table} WHERE checkpoint_id > ?", (at,))
    asked = [len(server.calls(role)) for role in ("assess", "solve")]
    solution = await resumed(place, entry.id)
    assert (solution["answer"], solution["outcome"], len(solution["threads"])) == ("All of it.", "complete", 8)
    assert [len(server.calls(role)) for role in ("assess", "solve")] == asked


async def test_a_drained_run_stops_at_a_step_and_goes_on_from_there(place: str, server: ModelServer) -> None:
    split(server, 3)
    server.on(PARTS[0], Reply("Result: 1", delay=0.5))
    process = await launch(QUESTION, "--store", place, env=environment(server))
    await server.wait_for(3, "solve")
    process.send_signal(signal.SIGTERM)
    _, err = await process.communicate()
    (entry,) = await at_rest(place)
    assert (process.returncode, entry.outcome) == (143, "stopped"), err
    assert err.decode().endswith(f"apr: stopped; apr resume {entry.id} goes on\n")
    assert len(server.calls("solve")) == 3 and not server.calls("review")
    status, out, _ = await apr(server, "resume", entry.id[:5], "--store", place)
    assert (status, out) == (0, "All of it.\n") and len(server.calls("solve")) == 3


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
async def test_what_ends_while_others_work_is_kept_and_the_run_goes_on_from_there(
    place: str, server: ModelServer, sent: signal.Signals, status: int
) -> None:
    split(server, 3)
    server.on(PARTS[2], HANG)
    process = await start(server, QUESTION, "--store", place)
    await server.wait_for(3, "solve")
    async with server.arrived:
        await server.arrived.wait_for(lambda: server.open == 1)
    # Another process's database tells nobody when it is written.
    while len(await finished_threads(place, (await entries(place))[0].id)) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    process.send_signal(sent)
    _, err = await process.communicate()
    (entry,) = await at_rest(place)
    assert (process.returncode, entry.outcome) == (status, "stopped"), err
    server.on(PARTS[2], "Result: 3")
    status, out, _ = await apr(server, "resume", entry.id, "--store", place)
    assert (status, out) == (0, "All of it.\n")
    assert [len(server.about(part)) for part in PARTS[:3]] == [1, 1, 2]


async def test_what_each_part_of_a_shared_thread_came_to_is_kept(place: str, server: ModelServer) -> None:
    split(server, 4)
    server.on(PARTS[3], HANG)
    process = await start(server, QUESTION, "--store", place, APR_MAX_THREADS="2")
    await server.wait_for(4, "solve")
    # Another process's database tells nobody when it is written.
    while not await finished_threads(place, (await entries(place))[0].id):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    process.send_signal(signal.SIGINT)
    await process.communicate()
    (entry,) = await at_rest(place)
    server.on(PARTS[3], "Result: 4")
    solution = await resumed(place, entry.id)
    found = [f"answer to {part}" for part in PARTS[:3]]
    assert [thread.answers for thread in solution["threads"]] == [found[:2], [found[2], "4"]]
    assert [len(server.about(part)) for part in PARTS[:4]] == [1, 1, 2, 2]


async def test_the_time_in_which_nobody_worked_counts_against_no_deadline(server: ModelServer, tmp_path: Path) -> None:
    place = str(tmp_path / "runs.sqlite")
    split(server, 2)
    server.on(PARTS[1], HANG)
    process = await start(server, QUESTION, "--store", place, "--deadline", "20")
    await server.wait_for(2, "solve")
    process.kill()
    await process.communicate()
    (entry,) = await at_rest(place)
    server.on(PARTS[1], "Result: 2")
    # Longer than the whole run may take: nothing else can tell the two apart.
    await asyncio.sleep(20)
    status, out, err = await apr(server, "resume", entry.id, "--store", place)
    assert (status, out) == (0, "All of it.\n"), err


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"base_url": "THEIRS"}, {}),
        ({"base_url": "THEIRS", "api_key_env": "SOME_DB_PASSWORD"}, {}),
        ({"api_key_env": "SOME_DB_PASSWORD"}, {}),
        ({"base_url": None, "api_key_env": "SOME_DB_PASSWORD"}, {}),
        ({"model": "deepseek:x"}, {}),
        ({"planner": "dspy:/tmp/theirs"}, {}),
        ({"mcp_config": "/tmp/theirs.json"}, {}),
    ],
)
async def test_who_can_write_to_a_store_does_not_choose_where_keys_go(
    server: ModelServer, tmp_path: Path, change: dict[str, Any], more: dict[str, str]
) -> None:
    split(server, 2)
    server.on("review", HANG)
    place = str(tmp_path / "runs.sqlite")
    process = await start(server, QUESTION, "--store", place)
    await server.wait_for(1, "review")
    process.kill()
    await process.communicate()
    async with model_server() as theirs:
        async with open_store(place) as store:
            (entry,) = await Runs(store).all()
            changed = {name: theirs.url if value == "THEIRS" else value for name, value in change.items()}
            settings = {**entry.settings, **changed}
            await Runs(store)._write(entry.model_copy(update={"settings": settings}))
        asked = len(server.asked)
        planted = {"SOME_DB_PASSWORD": "planted-0123456789", "DEEPSEEK_API_KEY": "planted-0123456789"}
        status, _, said = await apr(server, "resume", entry.id, "--store", place, **planted)
        assert status == 2 and f"apr resume {entry.id} --base-url" in said and "planted" not in said
        assert not theirs.asked and len(server.asked) == asked
        server.on("review", "All of it.")
        status, _, said = await apr(server, "resume", entry.id, "--store", place, "--base-url", server.url, **planted)
        sent = {request.headers["Authorization"] for request in server.asked}
        assert status in (0, 3) and ("deepseek:x" in change.values() or sent == {"Bearer none"}), said

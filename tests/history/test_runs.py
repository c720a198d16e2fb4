"""Runs that are kept: listed, shown, pruned, and their documents stored once."""

import asyncio
import contextlib
import random
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from graphs.history.runs import Entry, Runs, config
from graphs.history.store import open_store
from nodes.settings import Settings
from nodes.state import Problem, State
from tests.support.command import apr, start
from tests.support.server import HANG, ModelServer, outline
from tests.support.subjects.runs import PARTS, SEED, at_rest, entries


async def test_runs_are_listed_and_shown(place: str, server: ModelServer) -> None:
    assert (await apr(server, "runs", "--store", place)) == (0, "", "no runs are kept\n")
    server.on("direct", "Because.")
    await apr(server, "Why is\nthe sky blue?", "--store", place)
    await apr(server, "And the sea?", "--store", place, "--sequential")
    status, out, _ = await apr(server, "runs", "--store", place)
    latest, first = out.splitlines()
    assert status == 0 and re.fullmatch(r"[0-9a-f]{16}  \d{4}-\d\d-\d\d \d\d:\d\d  complete  And the sea\?", latest)
    assert first.endswith("complete  Why is the sky blue?")
    for line in (latest, first):
        status, out, err = await apr(server, "show", line[:8], "--store", place)
        assert (status, out) == (0, "Because.\n") and err.startswith("complete: direct route")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resume", "nobody"], "there is no run `nobody`; apr runs lists them"),
        (["show", "nobody"], "there is no run `nobody`"),
        (["show", " "], "there is no run"),
        (["prune"], "say what to remove"),
        (["prune", "--older-than", "old"], "--older-than old: is not an age such as 30d"),
        (["runs", "--store", "none"], "no runs are kept there"),
    ],
)
async def test_what_cannot_be_is_said_with_what_to_do(server: ModelServer, arguments: list[str], said: str) -> None:
    status, _, err = await apr(server, *arguments)
    assert status == 2 and said in err and "Traceback" not in err


async def test_a_run_that_has_ended_or_is_at_work_is_not_resumed(place: str, server: ModelServer) -> None:
    await apr(server, "Why?", "--store", place)
    (ended,) = await entries(place)
    status, _, err = await apr(server, "resume", ended.id, "--store", place)
    assert status == 2 and f"run {ended.id} has ended (complete); apr show {ended.id} prints its answer" in err
    server.on("direct", HANG)
    process = await start(server, "And now?", "--store", place)
    try:
        await server.wait_for(2, "direct")
        (working,) = [entry for entry in await entries(place) if entry.outcome == "running"]
        for command, said in (("resume", "is at work in another process"), ("show", "is still at work")):
            status, _, err = await apr(server, command, working.id, "--store", place)
            assert status == 2 and said in err
        assert (await apr(server, "prune", "--keep", "0", "--store", place))[1] == "1 runs removed\n"
    finally:
        process.kill()
        await process.communicate()
    (stopped,) = await at_rest(place)
    assert stopped.outcome == "stopped"
    status, _, err = await apr(server, "show", stopped.id, "--store", place)
    assert status == 2 and f"was stopped; apr resume {stopped.id} goes on" in err


async def test_a_run_is_resumed_though_its_lock_goes_only_after_a_moment(place: str, server: ModelServer) -> None:
    server.on("direct", HANG, "Because.")
    process = await start(server, "Why?", "--store", place)
    await server.wait_for(1, "direct")
    process.kill()
    await process.communicate()
    (stopped,) = await at_rest(place)
    async with open_store(place) as store, store.locks.hold(stopped.id):
        resuming = asyncio.create_task(apr(server, "resume", stopped.id, "--store", place))
        assert not (await asyncio.wait([resuming], timeout=0.5))[0]
    assert (await resuming)[:2] == (0, "Because.\n")


async def test_several_processes_make_a_new_store_at_once(place: str, server: ModelServer) -> None:
    server.on("direct", "Because.")
    ended = await asyncio.gather(*(apr(server, "Why?", "--store", place) for _ in range(4)))
    assert [(status, out) for status, out, _ in ended] == [(0, "Because.\n")] * 4, ended
    assert [entry.outcome for entry in await entries(place)] == ["complete"] * 4


async def test_runs_are_pruned_by_age_and_number_when_asked(place: str, server: ModelServer) -> None:
    for _ in range(3):
        await apr(server, "Why?" + "?" * 3000, "--store", place)
    assert (await apr(server, "prune", "--older-than", "1h", "--store", place))[1] == "0 runs removed\n"
    kept = (await entries(place))[0]
    assert (await apr(server, "prune", "--keep", "1", "--store", place))[1] == "2 runs removed\n"
    assert [entry.id for entry in await entries(place)] == [kept.id]
    assert (await apr(server, "prune", "--older-than", "0s", "--store", place))[1] == "1 runs removed\n"
    async with open_store(place) as store:
        assert not await store.items.asearch((), limit=10)
        assert not [one async for one in store.saver.alist(None)]


async def test_a_run_that_is_taken_up_is_not_pruned(server: ModelServer, tmp_path: Path) -> None:
    place, problem = str(tmp_path / "runs.sqlite"), Problem(question="What is it?")
    async with open_store(place) as store, open_store(place) as other:
        runs, theirs = Runs(store), Runs(other)
        async with runs.begin(problem, Settings().show(), sequential=False) as entry:
            await runs.end(entry, "stopped")
        listed = theirs._as_it_stands

        async def taken_up_meanwhile(found: Entry) -> Entry:
            stood = await listed(found)
            if not held:
                held.append(await stack.enter_async_context(runs.resume(found.id)))
            return stood

        held: list[Entry] = []
        async with contextlib.AsyncExitStack() as stack:
            theirs._as_it_stands = taken_up_meanwhile  # type: ignore[method-assign,assignment]
            assert await theirs.prune(keep=0) == 0
            assert (await runs.find(entry.id)).outcome == "running"
            await runs.end(held[0], "stopped")
        assert await Runs(other).prune(keep=0) == 1 and not await runs.all()


async def test_documents_are_stored_once(place: str, server: ModelServer, tmp_path: Path) -> None:
    text = "".join(random.Random(SEED).choices("abcdefghij klmnop\n", k=1_000_000))
    file = tmp_path / "large.txt"
    await asyncio.to_thread(file.write_text, text, encoding="utf-8")
    server.on("assess", outline(*(f"1 2: {part}" for part in PARTS)))
    status, _, err = await apr(server, "What of it?", "--file", str(file), "--store", place)
    assert status == 0, err
    assert all(text[:5000].strip() in asked.last for asked in server.calls("solve")) and len(server.calls("solve")) == 8
    written = await size(place)
    assert written < 2 * len(text)
    (entry,) = await at_rest(place)
    async with open_store(place) as store:
        state = await Runs(store).graph(entry).aget_state(config(entry))
    assert State.model_validate(state.values).documents[0].text == text


async def size(place: str) -> int:
    """Add up what is kept, in bytes."""
    if "://" not in place:
        with closing(sqlite3.connect(place)) as content:
            sums = ("SELECT sum(length(checkpoint)) FROM checkpoints", "SELECT sum(length(value)) FROM writes")
            return sum(
                content.execute(sql).fetchone()[0] or 0 for sql in (*sums, "SELECT sum(length(value)) FROM store")
            )
    import psycopg

    async with await psycopg.AsyncConnection.connect(place) as connection:
        tables = ("checkpoints", "checkpoint_blobs", "checkpoint_writes", "store")
        total = 0
        for table in tables:
            row: Any = await (await connection.execute(f"SELECT sum(length(t::text)) FROM {table} t")).fetchone()
            total += int(row[0] or 0)
        return total

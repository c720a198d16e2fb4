"""Runs that are kept: killed at any moment and resumed, listed, shown, pruned; and stores that fail."""

import asyncio
import contextlib
import json
import random
import re
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.types import Send

from graphs.history.runs import Entry, Runs, config
from graphs.history.store import StoreError, open_store
from graphs.history.texts import MIN_TEXT_CHARACTERS, list_hashes, put_back, take_out
from nodes.boundary.stored_types import DeclaredTypes
from nodes.settings import Settings
from nodes.state import Document, Problem, State
from tests.history.test_cache import Poison
from tests.support.command import apr, environment, launch, start
from tests.support.postgres import Postgres
from tests.support.server import HANG, ModelServer, Reply, model_server, outline, review

PARTS = [f"What is part {number}?" for number in range(1, 9)]
QUESTION = " ".join(PARTS)
KILLS, MORE_KILLS = 6, 25
SEED = 20261125
LATENCY = 0.3
"""Seconds within which a finished thread must be kept, on a busy machine."""


def split(server: ModelServer, count: int = 8) -> None:
    parts = PARTS[:count]
    server.on("assess", outline(*(f"{number}: {part}" for number, part in enumerate(parts, 1))))


async def entries(place: str) -> list[Entry]:
    async with open_store(place) as store:
        return await Runs(store).all()


async def finished_threads(place: str, run: str) -> set[str]:
    """List the subquestions whose results are kept, those of an unfinished step included."""
    async with open_store(place) as store:
        found = await Runs(store).saver.aget_tuple({"configurable": {"thread_id": run}})
    if found is None:
        return set()
    kept = [found.checkpoint["channel_values"].get("results", {})]
    kept += [value for _, channel, value in found.pending_writes or [] if channel == "results"]
    return {result.subquestion for results in kept for result in (results or {}).values()}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store that is empty at first, of either kind."""
    if request.param == "sqlite":
        return str(tmp_path / "state" / "runs.sqlite")
    database: Postgres = request.getfixturevalue("database")
    name = f"of_{tmp_path.name}".lower().replace("-", "_").replace("[", "_").replace("]", "_")
    import psycopg

    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return database.url.replace("/postgres", f"/{name}")


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
        killed_at = time.perf_counter()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
        before = {part: len(server.about(part)) for part in PARTS}
        answered = {asked.key for asked in server.calls("solve") if asked.ended and asked.ended < killed_at - LATENCY}
        (entry,) = await entries(place)
        if entry.outcome == "complete":  # it was quicker
            await apr(server, "prune", "--keep", "0", "--store", place)
            return
        kept = await finished_threads(place, entry.id)
        assert {asked for asked in answered if not asked.startswith("review")} <= kept, (number, answered, kept)
        solution = await resumed(place, entry.id)
        assert (solution["answer"], solution["outcome"], len(solution["threads"])) == ("All of it.", "complete", 8)
        for part in PARTS:
            again = len(server.about(part)) - before[part]
            assert again == (0 if part in kept else 1), (number, part, again, part in kept)


async def resumed(place: str, id: str) -> Any:
    async with open_store(place) as store:
        runs = Runs(store)
        async with runs.resume(id) as entry:
            solution = await runs.graph(entry).ainvoke(await runs.left(entry), config(entry), context=entry.settings)
            await runs.end(entry, solution["outcome"])
        assert await runs.prune(keep=0) == 1
    return solution


@pytest.mark.parametrize(
    "number", [*range(KILLS), *(pytest.param(number, marks=pytest.mark.full) for number in range(KILLS, MORE_KILLS))]
)
async def test_a_killed_run_is_resumed_without_asking_again(place: str, number: int) -> None:
    await killed_and_resumed(place, number)


async def test_a_run_killed_when_all_threads_had_ended_asks_none_again(server: ModelServer, tmp_path: Path) -> None:
    place = str(tmp_path / "runs.sqlite")
    split(server)
    assert (await apr(server, QUESTION, "--store", place))[0] == 0
    (entry,) = await entries(place)
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
    process = await launch(QUESTION, "--store", place, env=environment(server), real="://" not in place)
    await server.wait_for(3, "solve")
    process.send_signal(signal.SIGTERM)
    _, err = await process.communicate()
    (entry,) = await entries(place)
    assert (process.returncode, entry.outcome) == (143, "stopped"), err
    assert err.decode().endswith(f"apr: stopped; apr resume {entry.id} goes on\n")
    assert len(server.calls("solve")) == 3 and not server.calls("review")
    status, out, _ = await apr(server, "resume", entry.id[:5], "--store", place)
    assert (status, out) == (0, "All of it.\n") and len(server.calls("solve")) == 3


async def test_an_interrupted_run_goes_on_where_it_was(place: str, server: ModelServer) -> None:
    split(server, 3)
    server.on(PARTS[2], HANG)
    process = await start(server, QUESTION, "--store", place)
    await server.wait_for(3, "solve")
    async with server.arrived:
        await server.arrived.wait_for(lambda: server.open == 1)
    # Another process's database tells nobody when it is written.
    while len(await finished_threads(place, (await entries(place))[0].id)) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    (entry,) = await entries(place)
    assert (process.returncode, entry.outcome) == (130, "stopped"), err
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
    (entry,) = await entries(place)
    server.on(PARTS[3], "Result: 4")
    solution = await resumed(place, entry.id)
    found = [f"answer to {part}" for part in PARTS[:3]]
    assert [thread.answers for thread in solution["threads"]] == [found[:2], [found[2], "4"]]
    assert [len(server.about(part)) for part in PARTS[:4]] == [1, 1, 2, 2]


async def test_the_time_in_which_nobody_worked_counts_against_no_deadline(server: ModelServer, tmp_path: Path) -> None:
    place = str(tmp_path / "runs.sqlite")
    split(server, 2)
    server.on(PARTS[1], HANG)
    process = await start(server, QUESTION, "--store", place, "--deadline", "5")
    await server.wait_for(2, "solve")
    process.kill()
    await process.communicate()
    (entry,) = await entries(place)
    server.on(PARTS[1], "Result: 2")
    # Longer than the whole run may take: nothing else can tell the two apart.
    await asyncio.sleep(5)
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
    (stopped,) = await entries(place)
    assert stopped.outcome == "stopped"
    status, _, err = await apr(server, "show", stopped.id, "--store", place)
    assert status == 2 and f"was stopped; apr resume {stopped.id} goes on" in err


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
        async with runs.begin(problem, Settings().shown(), sequential=False) as entry:
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
    (entry,) = await entries(place)
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


async def test_a_store_that_cannot_be_had_is_refused_when_it_was_asked_for(server: ModelServer, tmp_path: Path) -> None:
    file = tmp_path / "file"
    await asyncio.to_thread(file.write_text, "no database " * 1000)
    for place in (str(file), str(file / "runs.sqlite"), "postgresql://apr:secret-word@127.0.0.1:9/apr"):
        status, _, err = await apr(server, "Why?", "--store", place)
        assert status == 2 and "runs cannot be kept in" in err and "APR_STORE" in err
        assert "secret-word" not in err and "Traceback" not in err
    assert not server.asked


async def test_a_default_store_that_cannot_be_had_costs_a_warning(server: ModelServer, tmp_path: Path) -> None:
    file = tmp_path / "file"
    await asyncio.to_thread(file.write_text, "no database " * 1000)
    server.on("direct", "Because.")
    status, out, err = await apr(server, "Why?", APR_STORE=str(file))
    assert (status, out) == (0, "Because.\n") and "this run is not kept: runs cannot be kept in" in err


async def limited(server: ModelServer, *arguments: str) -> tuple[int, str, str]:
    """Run the command where no file can grow beyond 400 KB, as on a disk that is full."""
    process = await launch(*arguments, env=environment(server), largest_file=400 * 1024)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.parametrize("kept", ["state", "cache"])
async def test_a_full_disk_costs_a_warning_and_no_answer(server: ModelServer, tmp_path: Path, kept: str) -> None:
    split(server, 2)
    for part in PARTS[:2]:
        server.on(part, f"{'Words. ' * 40_000}\nResult: {part}")
    arguments = ["--store", str(tmp_path / "runs.sqlite")] if kept == "state" else ["--store", "none", "--cache"]
    status, out, err = await limited(server, QUESTION, *arguments)
    assert (status, out) == (0, "All of it.\n"), err
    said = "the run goes on, but is kept no longer" if kept == "state" else "the thread cache"
    assert said in err and "Traceback" not in err


async def test_a_cache_that_cannot_be_written_costs_a_warning(server: ModelServer) -> None:
    split(server, 2)
    status, out, err = await apr(server, QUESTION, "--cache", APR_CACHE_FILE="/proc/nowhere/threads.sqlite")
    assert (status, out) == (0, "All of it.\n") and "/proc/nowhere/threads.sqlite cannot be used" in err


async def test_a_default_store_that_cannot_be_written_costs_a_warning(server: ModelServer, tmp_path: Path) -> None:
    server.on("direct", "Because.")
    place = str(tmp_path / "runs.sqlite")
    await apr(server, "Why?", APR_STORE=place)
    with closing(sqlite3.connect(place, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        status, out, err = await apr(server, "Why?", APR_STORE=place)
    assert (status, out) == (0, "Because.\n") and "this run is not kept: database is locked" in err
    assert len(await entries(place)) == 1


async def test_a_database_that_goes_away_costs_a_warning_and_no_answer(database: Postgres, server: ModelServer) -> None:
    split(server, 3)
    server.on("review", Reply(json.dumps(review("All.")), delay=0.5))
    server.on(PARTS[0], Reply("Result: 1", delay=1.0))
    process = await start(server, QUESTION, "--store", database.url)
    await server.wait_for(3, "solve")
    await asyncio.to_thread(database.stop)
    try:
        out, err = await process.communicate()
    finally:
        await asyncio.to_thread(database.start)
    assert process.returncode == 0 and out.decode().startswith("All."), err.decode()
    assert "the run goes on, but is kept no longer" in err.decode() and "Traceback" not in err.decode()
    (entry,) = [entry for entry in await entries(database.url) if entry.question == QUESTION]
    assert entry.outcome == "stopped"
    status, _, said = await apr(server, "resume", entry.id, "--store", database.url)
    assert status == 0, said


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_database_that_fails_while_runs_are_listed_is_said(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if kind == "sqlite":
        place = str(tmp_path / "runs.sqlite")
        async with open_store(place):
            pass
        spoil = drop_tables
    else:
        database: Postgres = request.getfixturevalue("database")
        place, spoil = database.url, stop_and_start
    with pytest.raises(StoreError, match="cannot be read or written any more"):
        async with open_store(place) as store:
            await asyncio.to_thread(spoil, request, place)
            await Runs(store).all()


def drop_tables(request: pytest.FixtureRequest, place: str) -> None:
    with closing(sqlite3.connect(place)) as content:
        content.execute("DROP TABLE store")


def stop_and_start(request: pytest.FixtureRequest, place: str) -> None:
    database: Postgres = request.getfixturevalue("database")
    database.stop()
    database.start()


def test_only_what_the_states_declare_is_read_back() -> None:
    serde = DeclaredTypes()
    known, unknown = Document(id="a", text="b"), Entry(id="a", question="q", started_at=0, active_at=0)
    assert serde.loads_typed(serde.dumps_typed(known)) == known
    assert not isinstance(serde.loads_typed(serde.dumps_typed(unknown)), Entry)


async def test_a_poisoned_store_runs_nothing(server: ModelServer, tmp_path: Path) -> None:
    poison = Poison(tmp_path / "run")
    split(server, 2)
    place = tmp_path / "runs.sqlite"
    context = Settings(model="openai:scripted", base_url=server.url)
    async with open_store(str(place)) as store:
        runs = Runs(store)
        problem = Problem(question=" ".join(PARTS[:2]))
        async with runs.begin(problem, context.shown(), sequential=False) as entry:
            await runs.graph(entry).ainvoke(problem.model_dump(), config(entry), context=context)
    for encoding, value in poison.values:
        with closing(sqlite3.connect(place)) as content:
            for table, type_, blob in (("checkpoints", "type", "checkpoint"), ("writes", "type", "value")):
                content.execute(f"UPDATE {table} SET {type_} = ?, {blob} = ?", (encoding, value))
            content.execute("UPDATE checkpoints SET metadata = ?", (value,))
            content.commit()
        async with open_store(str(place)) as store:
            runs = Runs(store)
            with contextlib.suppress(Exception):
                await runs.solution(entry.id)
            with contextlib.suppress(Exception):
                await runs.graph(entry).ainvoke(None, config(entry), context=context)
        assert not (tmp_path / "run").exists(), encoding


TEXTS = st.one_of(st.text(), st.sampled_from(["x" * MIN_TEXT_CHARACTERS, "\ue000apr-text:" + "0" * 64, "y" * 5000]))
NAMES = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=100)
VALUES = st.recursive(
    st.one_of(
        TEXTS,
        st.integers(),
        st.none(),
        st.builds(Document, id=NAMES, text=TEXTS),
    ),
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(st.text(), inner), st.tuples(inner, inner), st.builds(Send, st.text(), inner)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_taken_out_can_be_put_back(value: Any) -> None:
    texts: dict[str, str] = {}
    light = take_out(value, texts)
    assert list_hashes(light) == set(texts) and put_back(light, texts) == value
    assert all(len(text) >= MIN_TEXT_CHARACTERS or text.startswith("\ue000") for text in texts.values())


def test_a_state_keeps_its_texts_outside() -> None:
    documents = [Document(id=name, text=name * 2000) for name in "ab"]
    texts: dict[str, str] = {}
    light = take_out(State(question="Why?", documents=documents), texts)
    assert len(texts) == 2 and all(len(document.text) < 100 for document in light.documents)

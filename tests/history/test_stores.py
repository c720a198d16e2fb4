"""Stores that fail: refused where they were asked for, else a warning that costs no answer."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from graphs.history.runs import Runs
from graphs.history.store import StoreError, open_store
from tests.support.command import apr, environment, launch, start
from tests.support.server import ModelServer, Reply, review
from tests.support.services.postgres import Postgres
from tests.support.subjects.runs import PARTS, QUESTION, entries, split


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


async def test_a_lock_is_free_as_soon_as_it_was_given_up(place: str) -> None:
    async with open_store(place) as store:
        for _ in range(50):
            async with store.locks.hold("run") as free:
                assert free and await store.locks.is_held("run")


@pytest.mark.parametrize("part", ["saver", "items"])
async def test_a_write_that_was_broken_off_leaves_no_lock(part: str, tmp_path: Path) -> None:
    place = tmp_path / "runs.sqlite"
    async with open_store(str(place)) as store:
        connection = getattr(store, part).conn
        await connection.execute("BEGIN IMMEDIATE")
        statement = await connection.execute(
            "INSERT INTO store (prefix, key, value) VALUES ('a', 'b', '{}') RETURNING key"
        )
        assert connection.in_transaction
    with closing(sqlite3.connect(place, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
    assert statement  # what a cancelled write has left is still there

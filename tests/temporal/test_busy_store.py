"""A store that is busy when a run comes to its end costs time, and neither what was paid for nor the run."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from graphs.build import build_graph
from graphs.history.runs import Runs
from graphs.history.store import open_store
from nodes.state import Solution
from tests.support.server import Reply, model_server
from tests.support.services.temporal import workers
from tests.support.subjects.runs import PARTS, QUESTION, split

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUSY_S = 7.0
"""Longer than SQLite waits by itself."""

LONG = " ".join(f"word{number}" for number in range(400))
"""It is kept in the store, not at the server."""


@pytest.mark.full
async def test_what_was_paid_for_is_kept_when_the_store_is_free_again(
    engine: str, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APR_STORE", store)
    held = asyncio.Event()
    async with model_server() as server, workers(server, engine, store):
        split(server, 3)
        server.on(PARTS[0], Reply(f"{LONG}\nResult: 1", held=held))
        context = {"model": "openai:scripted", "base_url": server.url, "split": "if_independent", "head_start": "off"}
        running = asyncio.create_task(build_graph(engine=engine).ainvoke({"question": QUESTION}, context=context))
        await server.wait_for(3, "solve")
        with closing(sqlite3.connect(store, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            held.set()
            await asyncio.sleep(BUSY_S)
            other.execute("ROLLBACK")
        solution = Solution.model_validate(await running)
        assert solution.outcome == "complete" and [len(server.about(part)) for part in PARTS[:3]] == [1, 1, 1]
    async with open_store(store) as opened:
        (entry,) = await Runs(opened).all()
        assert entry.outcome == "complete" and (await Runs(opened).solution(entry.id)).answer == solution.answer

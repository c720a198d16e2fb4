"""Runs that are kept: a question of many parts, and the list of a store."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Any

from graphs import graph
from graphs.history.runs import Entry, Runs, config
from graphs.history.store import open_store
from nodes.state import Solution
from tests.support.command import environment, launch
from tests.support.server import ModelServer, outline

PARTS = [f"What is part {number}?" for number in range(1, 9)]
QUESTION = " ".join(PARTS)
SEED = 20261125
KILLS, MORE_KILLS = 4, 25


def split(server: ModelServer, count: int = 8) -> None:
    parts = PARTS[:count]
    server.on("assess", outline(*(f"{number}: {part}" for number, part in enumerate(parts, 1))))


async def kill_run(
    server: ModelServer, question: str, place: str, chance: random.Random, requests: tuple[int, int], **more: str
) -> None:
    """Start a run and kill it within half a second of one of its first requests."""
    process = await launch(question, "--store", place, env=environment(server, **more))
    await server.wait_for(chance.randint(*requests))
    await asyncio.sleep(chance.uniform(0.0, 0.5))
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.communicate()


async def entries(place: str) -> list[Entry]:
    async with open_store(place) as store:
        return await Runs(store).all()


async def at_rest(place: str) -> list[Entry]:
    """List the runs as soon as none is at work: a database sees only after a moment that a process was killed."""
    async with asyncio.timeout(30):
        found = await entries(place)
        while any(entry.outcome == "running" for entry in found):
            await asyncio.sleep(0.1)
            found = await entries(place)
    return found


async def finished_threads(place: str, run: str) -> set[str]:
    """List the subquestions whose results are kept, those of an unfinished step included."""
    async with open_store(place) as store:
        found = await Runs(store).saver.aget_tuple({"configurable": {"thread_id": run}})
    if found is None:
        return set()
    kept = [found.checkpoint["channel_values"].get("results", {})]
    kept += [value for _, channel, value in found.pending_writes or [] if channel == "results"]
    return {result.subquestion for results in kept for result in (results or {}).values()}


async def resumed(place: str, id: str) -> Any:
    async with open_store(place) as store:
        runs = Runs(store)
        async with runs.resume(id) as entry:
            solution = await runs.graph(entry).ainvoke(await runs.left(entry), config(entry), context=entry.settings)
            await runs.end(entry, solution["outcome"])
        pruned = await runs.prune(keep=0)
        assert pruned == 1, await runs.all()
    return solution


RIVERS = ["How long is the Po?", "Which river crosses Turin, and how long is it?", "Who wrote Hamlet?"]
RESULTS = ["Result: 652 km", "Result: The Po, 690 km", "Result: Shakespeare"]


async def ask_of_rivers(
    server: ModelServer,
    context: dict[str, Any],
    *reviews: Any,
    answer: str = "text",
    parts: Sequence[str] = RIVERS,
    **more: Any,
) -> Solution:
    server.on("assess", outline(*parts, answer=answer)).on("review", *reviews)
    for part, result in zip(RIVERS, RESULTS, strict=True):
        server.script.setdefault(part, [result])
    problem = {"question": "Tell me of the Po and of Hamlet.", **more}
    return Solution.model_validate(await graph.ainvoke(problem, context=context))

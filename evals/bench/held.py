"""What one process holds while it does many runs: `python -m evals.bench.held ORDER BASE_URL CORE` prints it.

One line of JSON for each sample: how many runs have been done, and the resident memory in MB of 1,000,000 bytes.
"""

import asyncio
import gc
import json
import os
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evals.bench.comparison import Incomplete
from evals.bench.process import settle
from evals.bench.workload import THREADS, question

Route = Literal["parallel", "direct"]
WORDS = ("adding", "takes", "numbers", "that", "belong", "together", "and", "says", "what", "they", "come", "to")


@dataclass(frozen=True)
class Load:
    """What the process does."""

    route: Route
    kept: bool
    """Whether a checkpointer keeps the runs, in a file."""
    runs: int
    every: int
    """Runs from one sample to the next; so many go on in waves of `at_once`."""
    at_once: int


@asynccontextmanager
async def _graph(kept: bool) -> AsyncIterator[Any]:
    from graphs import build_graph, graph

    if not kept:
        yield graph
        return
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    with tempfile.TemporaryDirectory() as folder:
        async with AsyncSqliteSaver.from_conn_string(f"{folder}/runs.sqlite") as saver:
            yield build_graph(checkpointer=saver)


def problem(route: Route, number: int) -> dict[str, Any]:
    """Return a question that no other run asks, with a text of its own of a length of its own."""
    chance = random.Random(number)
    asked = question(number) if route == "parallel" else f"What is {number} plus {number}?"
    return {"question": asked, "instructions": " ".join(chance.choices(WORDS, k=chance.randint(5, 400)))}


async def hold(load: Load, base_url: str) -> None:
    """Do the runs; prints a sample after every so many."""
    context = {"model": "openai:bench", "base_url": base_url, "max_parallel": THREADS}
    async with _graph(load.kept) as graph:

        async def run(number: int) -> None:
            thread = {"configurable": {"thread_id": str(number)}}
            solution = await graph.ainvoke(problem(load.route, number), thread, context=context)
            if (solution["outcome"], solution["route"]) != ("complete", load.route):
                raise Incomplete(f"{solution['outcome']} on the {solution['route']} route: {solution['stop_reason']}")

        for done in range(0, load.runs, load.every):
            for first in range(done, done + load.every, load.at_once):
                await asyncio.gather(*map(run, range(first, min(first + load.at_once, done + load.every))))
            gc.collect()
            sys.stdout.write(json.dumps([done + load.every, resident_mb()]) + "\n")
            sys.stdout.flush()


def resident_mb() -> float:
    """Return the memory that this process holds now, as Linux tells it."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    settle(sys.argv[3])
    asyncio.run(hold(Load(**json.loads(sys.argv[1])), sys.argv[2]))

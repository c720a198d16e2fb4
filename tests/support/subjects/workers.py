"""Processes that share endpoints, as workers on several machines do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.command import STEADY, environment
from tests.support.forked import Forked, fork
from tests.support.server import ModelServer
from tests.support.services.redis_server import RedisServer, redis_server

_PROGRAM = """
import asyncio, json, sys
from graphs import graph, sequential

async def main():
    asked = json.loads(sys.argv[1])
    use = sequential if asked["sequential"] else graph
    runs = [use.ainvoke({"question": question}, context=asked["context"]) for question in asked["questions"]]
    solutions = await asyncio.gather(*runs)
    told = [
        {
            "outcome": one["outcome"],
            "degrees": [[degree.degree, degree.reason] for degree in one["report"].degrees],
            "cached": one["report"].cached,
        }
        for one in solutions
    ]
    print(json.dumps({"runs": told, "loaded": sorted({"redis", "nodes.llm.limits.several"} & {*sys.modules})}))

asyncio.run(main())
"""

# Threads of one run, as they come to a worker: each with what it may know, in a run of its own here.
_THREADS = """
import asyncio, json, sys
from langgraph.graph import START, StateGraph
from langgraph.types import Send
from nodes.boundary.node import bound_node
from nodes.settings import Settings
from nodes.solve import solve
from nodes.state import State, ThreadTask

async def main():
    asked = json.loads(sys.argv[1])
    tasks = [ThreadTask.model_validate(task) for task in asked["tasks"]]
    builder = StateGraph(State, context_schema=Settings)
    builder.add_node("solve", bound_node(solve), input_schema=ThreadTask)
    builder.add_conditional_edges(START, lambda _: [Send("solve", task) for task in tasks], ["solve"])
    came = await builder.compile().ainvoke({"question": "All?"}, context=asked["context"])
    told = [
        {
            "id": id,
            "outcome": result.status,
            "error": result.error,
            "hedged": sum(call.hedge for call in came["calls"] if call.thread_id == id),
        }
        for id, result in sorted(came["results"].items())
    ]
    print(json.dumps({"runs": told, "loaded": sorted({"redis", "nodes.llm.limits.several"} & {*sys.modules})}))

asyncio.run(main())
"""


class Worker:
    """A process that asks questions side by side, one call each or in threads."""

    def __init__(self, process: Forked) -> None:
        self.process = process

    async def end(self) -> "Told":
        """Wait for its end, and return what it tells."""
        out, err = await self.process.communicate()
        assert self.process.returncode == 0, err.decode()
        return Told(json.loads(out), err.decode())


class Told:
    """What a worker told.

    Attributes:
        runs: Of each of its runs, what came of it.
        loaded: What it had in memory of what only several workers need.
        warnings: What it wrote to standard error.
    """

    def __init__(self, said: dict[str, Any], err: str) -> None:
        self.runs: list[dict[str, Any]] = said["runs"]
        self.loaded: list[str] = said["loaded"]
        self.warnings = err.splitlines()

    @property
    def outcomes(self) -> set[str]:
        """How its runs ended."""
        return {run["outcome"] for run in self.runs}


async def begin(
    server: ModelServer,
    *questions: str,
    workers: int,
    redis: str = "",
    sequential: bool = False,
    context: dict[str, Any] | None = None,
) -> Worker:
    """Start a worker, one of so many.

    Args:
        server: Whom it asks.
        questions: What it asks, all at once.
        workers: How many there are, as it is told; 0 for not telling it.
        redis: The address of the server that counts for all of them.
        sequential: Whether a question is asked in one call.
        context: Settings.
    """
    told = {"APR_WORKERS": str(workers)} if workers else {}
    env = environment(server, **STEADY, **told, **({"APR_REDIS_URL": redis} if redis else {}))
    asked = {"questions": questions, "sequential": sequential, "context": context or {}}
    return Worker(await fork("worker", json.dumps(asked), env=env, code=_PROGRAM))


async def begin_threads(
    server: ModelServer,
    *ids: str,
    run: str,
    planned: int,
    workers: int,
    redis: str = "",
    context: dict[str, Any] | None = None,
) -> Worker:
    """Start a worker that works on some threads of a run, one after the other; each is asked `What is ID?`.

    Args:
        server: Whom it asks.
        ids: The threads.
        run: The run.
        planned: How many threads the run has, wherever they work.
        workers: How many workers there are, as it is told.
        redis: The address of the server that counts for all of them.
        context: Settings.
    """
    env = environment(server, APR_WORKERS=str(workers), **({"APR_REDIS_URL": redis} if redis else {}))
    tasks = [
        {
            "run": {"id": run},
            "spec": {"id": id, "subquestion": f"What is {id}?"},
            "segments": [],
            "planned": planned,
        }
        for id in ids
    ]
    asked = {"tasks": tasks, "context": context or {}}
    return Worker(await fork("worker", json.dumps(asked), env=env, code=_THREADS))


@contextmanager
def counting_server() -> Iterator[RedisServer]:
    """Run the server that counts for all, or skip the test where the machine has none."""
    pytest.importorskip("redis", reason="the `dev` extra has Redis's client")
    try:
        with redis_server() as running:
            yield running
    except LookupError as missing:
        pytest.skip(str(missing))

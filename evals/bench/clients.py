"""The clients that are measured. What a client needs is imported when it is opened, in its own process."""

import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from evals.bench import comparison
from evals.bench.comparison import Incomplete
from evals.bench.workload import THREADS, Order, question
from nodes.shared.install import how_to_install

Run = Callable[[int], Awaitable[None]]
"""Does the run of a number; raises when it does not come to a whole answer."""


@dataclass(frozen=True)
class Client:
    """Something that can do the runs."""

    label: str
    open: Callable[[Order, str], AbstractAsyncContextManager[Run]]
    """Takes the order and the server's base URL; the client that it opens serves all runs of the process."""
    package: str = ""
    """What it needs beyond this project's own dependencies; the extra `bench` brings it."""

    @property
    def missing(self) -> str:
        """Why it cannot be measured here; empty if it can."""
        if not self.package or importlib.util.find_spec(self.package):
            return ""
        return f"`{self.package}` is not installed: {how_to_install('bench')}"


@asynccontextmanager
async def _this_graph(order: Order, base_url: str) -> AsyncIterator[Run]:
    from graphs import graph

    context = {"model": "openai:bench", "base_url": base_url, "max_parallel": THREADS, **order.settings}

    async def run(number: int) -> None:
        solution = await graph.ainvoke({"question": question(number)}, context=context)
        answered = sum(thread.status == "answered" for thread in solution["threads"])
        if solution["outcome"] != "complete" or answered != THREADS:
            why = f" ({solution['stop_reason']})" if solution["stop_reason"] else ""
            raise Incomplete(
                f"{solution['outcome']} on the {solution['route']} route, {answered} threads answered{why}"
            )

    yield run


@asynccontextmanager
async def _without_report(order: Order, base_url: str) -> AsyncIterator[Run]:
    """Leave the report empty: what it costs is the difference to the whole graph."""
    from nodes import conclude
    from nodes.reporting.report import Report

    empty = Report()
    setattr(conclude, "make_report", lambda *_, **__: empty)  # noqa: B010
    setattr(conclude, "listed", lambda _: [])  # noqa: B010
    async with _this_graph(order, base_url) as run:
        yield run


CLIENTS: dict[str, Client] = {
    "graph": Client("this graph", _this_graph),
    "graph-unreported": Client("this graph, its report left empty", _without_report),
    "openai": Client("openai SDK + asyncio.gather", comparison.openai_sdk),
    "chat": Client("ChatOpenAI + asyncio.gather", comparison.chat_openai),
    "langgraph": Client("bare LangGraph map-reduce over ChatOpenAI", comparison.bare_langgraph),
    "langgraph-aiohttp": Client(
        "bare LangGraph, ChatOpenAI over an aiohttp transport", comparison.bare_langgraph_aiohttp
    ),
    "dspy": Client("DSPy (its own engine)", comparison.dspy_predict("auto"), package="dspy"),
    "dspy-litellm": Client("DSPy (litellm)", comparison.dspy_predict("litellm"), package="dspy"),
}

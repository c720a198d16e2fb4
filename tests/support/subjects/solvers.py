"""Runs whose threads are worked out by a vote or a search."""

from collections.abc import Mapping
from typing import Any

from graphs import graph
from nodes.state import Solution
from nodes.threads.solving import Solving
from tests.support.server import ModelServer, outline, review

ASKED = "How much is it?"


def rate(*scores: int) -> dict[str, Any]:
    """A rating of candidates, each 0 to 10."""
    return {"scores": list(scores)}


def step(text: str, result: str = "") -> dict[str, Any]:
    """A step of a search, and the result where it reaches one."""
    return {"step": text, "result": result}


async def solve(
    server: ModelServer, context: Mapping[str, Any], *, on: Any = graph, question: str = ASKED, **settings: Any
) -> Solution:
    """Ask a question that has no parts."""
    server.on("assess", outline())
    return Solution.model_validate(await on.ainvoke({"question": question}, context={**context, **settings}))


async def solve_parts(
    server: ModelServer, context: Mapping[str, Any], *parts: str, on: Any = graph, config: Any = None, **settings: Any
) -> Solution:
    """Ask a question of these parts, whose results are good."""
    server.on("assess", outline(*parts)).on("review", review("All of it."))
    asked = {"question": "What is it all?"}
    return Solution.model_validate(await on.ainvoke(asked, config, context={**context, "max_rounds": 0, **settings}))


def solving_of(solution: Solution, id: str = "direct") -> Solving:
    """Return how the one part of a thread was worked out."""
    (solving,) = solution.report.solving[id]
    return solving

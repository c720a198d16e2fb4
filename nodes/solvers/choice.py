"""Having a solver work on a question; how many calls it takes, and what its result depends on."""

from collections.abc import Coroutine
from typing import Any, Literal

from nodes.asking.search import SEARCH
from nodes.asking.thread import VOTE
from nodes.llm.replies.reply import Reply
from nodes.settings import Settings
from nodes.shared.knobs.solvers import SolverName
from nodes.solvers.checking import find_checker
from nodes.solvers.work import Work


def solve_by(solver: Literal["vote", "tree"], work: Work) -> Coroutine[Any, Any, Reply]:
    """Have a question worked out by a vote or a search; both are loaded on use."""
    if solver == "vote":
        from nodes.solvers.vote import vote

        return vote(work)
    from nodes.solvers.tree import search

    return search(work)


def expect_calls(solver: SolverName, settings: Settings) -> tuple[int, int]:
    """Return how many calls a question is expected to take, and how many of them are made side by side.

    Of a search a step an iteration is expected: its candidates, and one rating of them.
    """
    if solver == "chain":
        return 1, 1
    if solver == "vote":
        return settings.samples, settings.samples
    return settings.tree_iterations * (settings.tree_width + 1), settings.tree_width


def list_knobs(solver: SolverName, settings: Settings) -> list[str | int]:
    """List what a result depends on beside what a chain's does; nothing for a chain."""
    if solver == "chain":
        return []
    if solver == "vote":
        return [solver, VOTE.prompt(settings).label, settings.samples]
    bounds = [settings.tree_iterations, settings.tree_width, settings.tree_depth, settings.tree_tokens]
    checker = find_checker()
    name = f"{checker.__module__}.{getattr(checker, '__qualname__', type(checker).__qualname__)}" if checker else ""
    return [solver, SEARCH.prompt(settings).label, *bounds, name]

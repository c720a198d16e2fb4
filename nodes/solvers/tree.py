"""A search through a tree of steps, as a graph of its own: LATS (Zhou et al.; its rules are in `nodes.solvers.uct`).

Each iteration *selects* a node, *expands* it by candidates for the next step, *evaluates* them, goes on from the best
of them to an end (the paper's *simulation*), *backpropagates* what came of that, and *reflects* on a failure, so that
later steps are written with its lesson. What the paper has from an environment comes from the task's own checker here,
if it brings one (`nodes.solvers.checking`), else from the model's rating. Nothing in it knows a right answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from nodes.asking.search import FULL_SCORE, SEARCH, Lesson, Rating, Step, ask_lesson, ask_rating, ask_step
from nodes.llm.caller import Caller
from nodes.llm.replies.errors import Kind, ModelError
from nodes.llm.replies.reply import Reply
from nodes.shared.cleaning import one_line
from nodes.solvers.checking import Verdict, check_result
from nodes.solvers.uct import add_candidates, backpropagate, best_result, depth_of, path_to, select, value_of
from nodes.solvers.work import Work
from nodes.threads.solving import MAX_SHOWN_CHARACTERS, Solving, TreeNode, shorten_node

T = TypeVar("T")

DURABILITY = "__pregel_durability"
"""How LangGraph tells a graph within another one when to write checkpoints; it has no public name."""
UNKNOWN = 0.5
"""The rating of a step that nobody rated: neither good nor bad."""
SURE = 0.9
"""The value from which on a result that no checker judges ends the search: the model is sure, and its samples agree."""
POOR = 0.5
"""The value below which such a result counts as a failure to learn from."""
PASSING: frozenset[Kind] = frozenset({"truncated", "malformed", "empty", "bad_reply", "refused"})
"""Faults of replies, which those of another iteration need not have; any other one ends the search."""
CALL_SHARE = 0.5
"""Share of the seconds left that one call may take: one that hangs leaves time to go on without it."""
NODES_AN_ITERATION = 5
"""Nodes of the graph that an iteration goes through, apart from two for each further step."""


class Search(BaseModel):
    """How far a search is."""

    tree: list[TreeNode] = Field(default_factory=lambda: [TreeNode()])
    at: int = 0
    """The node that is worked on."""
    shares: dict[int, float] = Field(default_factory=dict)
    """Of the nodes that were just found, how many of the candidates each stands for."""
    iterations: int = 0
    lessons: list[str] = Field(default_factory=list)
    ended: str = ""
    """Why it ended; empty while it goes on."""

    @property
    def steps(self) -> list[TreeNode]:
        """The steps to the node that is worked on."""
        return [self.tree[place] for place in path_to(self.tree, self.at)[1:]]


@dataclass
class Tools:
    """What the nodes of one search share.

    Attributes:
        work: The question.
        latest: How far the search is, for who wants to know after it was broken off.
        error: Why the last try brought no step, if one did not.
    """

    work: Work
    latest: Search
    error: ModelError | None = None


async def choose(state: Search, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Choose the node to grow."""
    most = runtime.context.work.settings.tree_depth
    return {"iterations": state.iterations + 1, "at": select(state.tree, most), "shares": {}}


async def expand(state: Search, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Have candidates for the next step written, side by side; one that fails costs only itself."""
    work = runtime.context.work
    settings, last = work.settings, depth_of(state.tree, state.at) + 1 >= work.settings.tree_depth
    asked = ask_step(work.task, settings, state.steps, state.lessons, last=last)
    work.step += 1
    callers = [_caller(work, sample=number, varied=True) for number in range(1, settings.tree_width + 1)]
    replies = await _gather(callers, lambda caller: caller.structured(asked, Step))
    steps = [reply for reply in replies if isinstance(reply, Step) and (reply.step.strip() or reply.result.strip())]
    if not steps:
        runtime.context.error = next((reply for reply in replies if isinstance(reply, ModelError)), None)
    found = [TreeNode(text=step.step.strip(), answer=step.result.strip()) for step in steps]
    tree, shares = add_candidates(state.tree, state.at, found)
    lasting = runtime.context.error if not steps else None
    ended = "no step came" if lasting and lasting.kind not in PASSING else ""
    return {"tree": tree, "shares": shares, "ended": ended}


async def evaluate(state: Search, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Judge the new steps, results by the task's checker if it brings one, and go on from the best of them."""
    work, tree = runtime.context.work, list(state.tree)
    fresh = list(state.shares)
    verdicts = await asyncio.gather(*(_check(work, tree[place]) for place in fresh))
    for place, verdict in zip(fresh, verdicts, strict=True):
        if verdict:
            told = {"value": verdict.score, "checked": True, "message": verdict.message}
            tree[place] = tree[place].model_copy(update=told)
    unjudged = [place for place in fresh if not tree[place].checked and not _is_dead(work, tree, place)]
    ratings = await _rate(state, work, [tree[place] for place in unjudged]) if unjudged else []
    for place, rating in zip(unjudged, ratings, strict=True):
        tree[place] = tree[place].model_copy(update={"value": value_of(rating, state.shares[place])})
    runtime.context.latest = state.model_copy(update={"tree": tree})
    at = max(fresh, key=lambda place: (tree[place].value, -place), default=state.at)
    return {"tree": tree, "at": at, "ended": _find_bound(work)}


async def backpropagate_value(state: Search, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Tell the steps on the way what came of them; end with a result that stands, or where a bound is reached."""
    node, work = state.tree[state.at], runtime.context.work
    tree = backpropagate(state.tree, state.at, node.value)
    ended = state.ended
    if node.answer and node.value >= (1.0 if node.checked else SURE):
        ended = "the checker accepted the result" if node.checked else "the model is sure of the result"
    elif not ended and state.iterations >= work.settings.tree_iterations:
        ended = f"{state.iterations} iterations (`tree_iterations`)"
    runtime.context.latest = state.model_copy(update={"tree": tree, "ended": ended})
    return {"tree": tree, "ended": ended}


async def reflect(state: Search, runtime: Runtime[Tools]) -> dict[str, Any]:
    """Have the model say what is to be learnt from a failure."""
    work = runtime.context.work
    work.step += 1
    asked = ask_lesson(work.task, work.settings, state.steps, state.lessons, state.tree[state.at].message)
    (reply,) = await _gather([_caller(work)], lambda caller: caller.structured(asked, Lesson))
    lesson = one_line(reply.lesson, MAX_SHOWN_CHARACTERS) if isinstance(reply, Lesson) else ""
    lessons = [*state.lessons, lesson] if lesson and lesson not in state.lessons else state.lessons
    runtime.context.latest = state.model_copy(update={"lessons": lessons})
    return {"lessons": lessons, "ended": _find_bound(work)}


def after_evaluation(state: Search, runtime: Runtime[Tools]) -> Literal["expand", "backpropagate"]:
    """Go on to the end of the steps, unless a bound is reached."""
    finished = state.ended or not state.shares or state.tree[state.at].answer
    depth = depth_of(state.tree, state.at)
    return "backpropagate" if finished or depth >= runtime.context.work.settings.tree_depth else "expand"


def after_expansion(state: Search) -> Literal["evaluate", "__end__"]:
    """End where no step can be had."""
    return "__end__" if state.ended else "evaluate"


def after_backpropagation(state: Search) -> Literal["reflect", "choose", "__end__"]:
    """Learn from a failure, go on, or end."""
    node = state.tree[state.at]
    # Where nothing new was written, there is nothing to learn.
    failed = bool(state.shares) and node.value < (1.0 if node.checked else POOR)
    return "__end__" if state.ended else "reflect" if failed else "choose"


def after_reflection(state: Search) -> Literal["choose", "__end__"]:
    """Go on, unless a bound is reached."""
    return "__end__" if state.ended else "choose"


async def search(work: Work) -> Reply:
    """Search for the result of a question.

    Returns:
        The steps to the best result, and the result. It falls short where the task's checker refuses that, too.

    Raises:
        ModelError: No result was reached within the bounds.
    """
    tools = Tools(work, Search())
    settings = work.settings
    steps = settings.tree_iterations * (NODES_AN_ITERATION + 2 * settings.tree_depth)
    try:
        found = await search_graph().ainvoke(Search(), _config(steps), context=tools)
        tools.latest = Search.model_validate(found)
    finally:
        work.charge_cancelled()
        work.solving = _tell(tools.latest)
    state = tools.latest
    if (best := best_result(state.tree)) is None:
        # Without its reply: half a step is no answer, not even a part of one.
        kind, why = (tools.error.kind, f": {tools.error}") if tools.error else ("empty", "")
        said = f"the search ended without a result ({state.ended}){why}"
        raise ModelError("timed_out" if work.left() <= 0 else kind, said)
    path = [state.tree[place] for place in path_to(state.tree, best)[1:]]
    end = path[-1]
    refused = f"the checker refuses the result: {end.message}" if end.checked and not end.value else ""
    text = "\n".join([*(step.text for step in path), f"Result: {end.answer}"])
    return Reply(text, finish_reason="stop", shortfall=refused.removesuffix(": "))


def _config(steps: int) -> RunnableConfig:
    # The run's own `sync` would have LangGraph wait for a checkpoint that this graph never writes.
    return {"recursion_limit": steps, "configurable": {DURABILITY: "async"}}


@cache
def search_graph() -> Any:
    """Compile the search. It keeps no checkpoints: a thread that is resumed searches anew, as a chain is asked anew."""
    builder = StateGraph(Search, context_schema=Tools)
    builder.add_node("choose", choose)
    builder.add_node("expand", expand)
    builder.add_node("evaluate", evaluate)
    builder.add_node("backpropagate", backpropagate_value)
    builder.add_node("reflect", reflect)
    builder.add_edge(START, "choose")
    builder.add_edge("choose", "expand")
    builder.add_conditional_edges("expand", after_expansion)
    builder.add_conditional_edges("evaluate", after_evaluation)
    builder.add_conditional_edges("backpropagate", after_backpropagation)
    builder.add_conditional_edges("reflect", after_reflection)
    return builder.compile(checkpointer=False, name="tree")


def _caller(work: Work, *, sample: int = 1, varied: bool = False) -> Caller:
    return work.caller(SEARCH, sample=sample, varied=varied, time_limit=work.left() * CALL_SHARE)


async def _gather(callers: Sequence[Caller], ask: Callable[[Caller], Awaitable[T]]) -> list[T | ModelError]:
    """Ask side by side; returns what came, in their order, failures among it."""
    came = await asyncio.gather(*(ask(caller) for caller in callers), return_exceptions=True)
    for one in came:
        if isinstance(one, BaseException) and not isinstance(one, ModelError):
            raise one
    return [one for one in came if isinstance(one, ModelError) or not isinstance(one, BaseException)]


async def _check(work: Work, node: TreeNode) -> Verdict | None:
    if not node.answer:
        return None
    asked, left = work.task.spec.subquestion, work.left()
    return await check_result(work.checker, asked, node.answer, seconds=left, latest=work.budget.latest)


async def _rate(state: Search, work: Work, candidates: Sequence[TreeNode]) -> list[float]:
    """Have the model rate candidates, 0 to 1; what it says nothing of is neither good nor bad."""
    work.step += 1
    asked = ask_rating(work.task, work.settings, state.steps, candidates, state.lessons)
    (reply,) = await _gather([_caller(work)], lambda caller: caller.structured(asked, Rating))
    scores = reply.scores if isinstance(reply, Rating) else []
    rated = [min(1.0, max(0.0, score / FULL_SCORE)) for score in scores[: len(candidates)]]
    return [*rated, *[UNKNOWN] * (len(candidates) - len(rated))]


def _is_dead(work: Work, tree: Sequence[TreeNode], place: int) -> bool:
    """Tell whether a step is the last that may be and brings no result: it is worth nothing."""
    return not tree[place].answer and depth_of(tree, place) >= work.settings.tree_depth


def _find_bound(work: Work) -> str:
    """Say which bound leaves no room for another step; empty while there is room."""
    largest = max((call.usage.total for call in work.calls), default=0)
    if work.tokens + work.settings.tree_width * largest > work.settings.tree_tokens:
        return f"{work.tokens:,} of {work.settings.tree_tokens:,} tokens (`tree_tokens`) are used"
    return "" if work.left() > 0 else f"{work.settings.thread_timeout:g} s (`thread_timeout`) are over"


def _tell(state: Search) -> Solving:
    tree = [shorten_node(node) for node in state.tree]
    return Solving(solver="tree", tree=tree, lessons=state.lessons, iterations=state.iterations, ended=state.ended)

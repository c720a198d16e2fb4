"""One item, worked out by a chain and by another solver, and by as many chains as the latter's tokens allow."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph

from evals.item import Item
from evals.score import parts_right
from evals.solvers.game24 import is_right
from nodes.boundary.node import bound_node
from nodes.direct import direct
from nodes.llm.replies.text import short_result
from nodes.settings import Settings
from nodes.shared.record import Record
from nodes.solvers.checking import CHECKER
from nodes.start import start
from nodes.state import Problem, Solution, State
from nodes.threads.ballot import count_votes
from nodes.threads.solving import Solving

Equal = Literal["output", "total"]
TEMPERATURE = 0.7
"""Of the chains that are repeated; at 0 all would be alike."""
MAX_CHAINS = 40


class Compared(Record):
    """What came of one item; no text of it is kept, since the data may be others'."""

    id: str
    dataset: str
    solver: str
    chain_solved: bool = False
    """One call, as the default settings make it."""
    chain_tokens: int = 0
    chain_output: int = 0
    solved: bool = False
    tokens: int = 0
    output: int = 0
    wall_s: float = 0.0
    chains: int = 0
    """Chains repeated until as many tokens were used as the solver did."""
    majority_solved: bool = False
    """Whether the result that most of these came to is right."""
    any_solved: bool = False
    """Whether any of them is right, which nobody could tell without knowing the answer."""
    asked: int = 0
    """Samples of a vote that began."""
    cancelled: int = 0
    sample_share: float | None = None
    """Share of a vote's samples that are right."""
    agreed: bool = False
    """Whether all samples of a vote that came agree."""
    iterations: int = 0
    ended: str = ""
    error: str = ""


def right(item: Item, answer: str) -> bool:
    """Tell whether an answer is right."""
    return is_right(item.question, answer) if item.dataset == "game24" else all(parts_right(item, answer))


def build_direct(checker: Callable[[str, str], bool] | None = None) -> Any:
    """Compile a graph that answers at once, without looking for parts."""
    builder = StateGraph(State, context_schema=Settings, input_schema=Problem, output_schema=Solution)
    builder.add_node("start", bound_node(start), input_schema=Problem)
    builder.add_node("direct", bound_node(direct))
    builder.add_edge(START, "start")
    builder.add_edge("start", "direct")
    builder.add_edge("direct", END)
    compiled = builder.compile()
    return compiled.with_config(configurable={CHECKER: checker}) if checker else compiled


async def compare(
    item: Item, solver: str, context: Mapping[str, Any], *, equal: Equal | None, checked: bool = False
) -> Compared:
    """Work one item out in each way.

    Args:
        item: The item.
        solver: `vote` or `tree`.
        context: Settings.
        equal: Which tokens of the solver the repeated chains may use; `None` to repeat none.
        checked: Whether a search is given the rule of the game as its checker.
    """
    plain = build_direct()
    graph = build_direct(is_right) if checked else plain
    chain = await _ask(plain, item, context)
    other = await _ask(graph, item, {**context, "solver": solver})
    solving = next(iter(other.report.solving.get("direct", [])), Solving(solver="chain"))
    votes = [(right(item, votes.answer), votes.count) for votes in solving.votes]
    came = sum(count for _, count in votes)
    row = Compared(
        id=item.id,
        dataset=item.dataset,
        solver=solver + ("+checker" if checked else ""),
        chain_solved=right(item, chain.answer),
        chain_tokens=chain.report.tokens.total,
        chain_output=chain.report.tokens.output,
        solved=right(item, other.answer),
        tokens=other.report.tokens.total,
        output=other.report.tokens.output,
        wall_s=other.report.wall_s,
        asked=solving.asked,
        cancelled=solving.cancelled,
        sample_share=sum(count for one, count in votes if one) / came if came else None,
        agreed=len(votes) == 1 and not solving.failed,
        iterations=solving.iterations,
        ended=solving.ended,
        error=other.stop_reason[:200],
    )
    return row.model_copy(update=await _repeat(plain, item, context, row, equal)) if equal else row


async def _ask(graph: Any, item: Item, context: Mapping[str, Any]) -> Solution:
    return Solution.model_validate(await graph.ainvoke({"question": item.question}, context=dict(context)))


async def _repeat(graph: Any, item: Item, context: Mapping[str, Any], row: Compared, equal: Equal) -> dict[str, Any]:
    """Repeat the chain for as many tokens as the solver used, at least once."""
    limit, used = (row.output, row.chain_output) if equal == "output" else (row.tokens, row.chain_tokens)
    count = min(MAX_CHAINS, max(1, round(limit / max(1, used))))
    varied = {"temperature": TEMPERATURE, **context}
    runs = await asyncio.gather(*(_ask(graph, item, varied) for _ in range(count)))
    told = {number: _conclusion(run.answer) for number, run in enumerate(runs) if run.answer}
    marks = Counter(right(item, run.answer) for run in runs)
    first = next(iter(count_votes(told).values()), [])
    majority = bool(first) and right(item, runs[first[0]].answer)
    return {"chains": count, "majority_solved": majority, "any_solved": marks[True] > 0}


def _conclusion(answer: str) -> str:
    """Return what two answers have in common that conclude the same: their last line."""
    return next(reversed(short_result(answer).splitlines()), "")

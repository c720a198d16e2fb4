"""The variants: the same item answered in different ways, from the workflow down to one call."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evals.item import Item
from evals.run.forks import Runs
from evals.run.reviewer import review_item
from evals.run.row import Row, row_of, score_plan, tokens_by_stage
from evals.score import vote
from evals.tools import TOOLS
from graphs import build_graph, graph, sequential
from nodes.state import Solution

TEMPERATURE = 0.7
"""Of the samples that self-consistency votes on; at 0 all would be alike."""
MAX_SAMPLES = 40
PATIENCE = {"thread_timeout": 900.0, "request_timeout": 900.0}
"""Seconds: items side by side slow each other down, and of a reply that is broken off no server tells the tokens."""
STRUCTURE = {"split": "if_independent", "head_start": "off"}
"""What an endpoint has shown in the same process is not weighed: no row may depend on the rows before it."""


@dataclass(frozen=True)
class Variant:
    """A way of answering."""

    name: str
    meaning: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    """Nodes before which the run is stopped; what came before is scored."""
    fork: str = ""
    """Node after which it goes its own way; up to there it is adaptive's run (see `evals.run.forks`)."""


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("adaptive", "the workflow; its gate looks at the structure alone, and nothing begins early", STRUCTURE),
        Variant("sequential", "the whole question in one call: the baseline"),
        Variant(
            "always-parallel",
            "what adaptive does not split is planned nevertheless",
            {"split": "always"},
            fork="assess",
        ),
        Variant("no-review", "adaptive's threads, joined as they stand", {**STRUCTURE, "review": "off"}, fork="solve"),
        Variant(
            "unscoped",
            "adaptive's plan, every thread reading the whole input",
            {**STRUCTURE, "scoped": False},
            fork="decompose",
        ),
        Variant("self-consistency", "the majority of single calls for the same total tokens as adaptive"),
        Variant("tools", "adaptive, its threads with a calculator and a table of facts (ParallelQA)", STRUCTURE),
        Variant("gate", "the assessment alone", STRUCTURE, stop=("decompose", "direct")),
        Variant("plan", "assessment and plan; no thread runs", STRUCTURE, stop=("solve", "direct")),
        Variant("review", "the reviewer alone, on recorded results"),
        Variant("brief", "the same, judging all results in one call", {"review": "brief"}),
        Variant("careful", "the same, checking each result before", {"review": "careful"}),
    )
}
REVIEWERS = ("review", "brief", "careful")
"""Those that answer nothing: they judge recorded results."""


async def answer(
    item: Item, variant: Variant, context: Mapping[str, Any], runs: Runs, *, tokens: int, most: int
) -> Row:
    """Answer an item and score it.

    Args:
        item: The item.
        variant: How.
        context: Settings.
        runs: Adaptive's runs.
        tokens: Tokens that self-consistency may use in all.
        most: Most samples that it takes.
    """
    settings = {**context, **variant.settings}
    problem = {"question": item.question, "documents": item.documents}
    if variant.stop:
        began, keys = time.perf_counter(), ["assessment", "plan", "calls", "repairs", "problems"]
        values = await graph.ainvoke(problem, context=settings, interrupt_before=list(variant.stop), output_keys=keys)
        return score_plan(item, values, time.perf_counter() - began)
    if variant.name in REVIEWERS:
        return await review_item(item, settings)
    if variant.name == "self-consistency":
        return await _sample(item, problem, settings, tokens=tokens, most=most)
    if variant.name == "tools":
        return row_of(item, Solution.model_validate(await build_graph(tools=TOOLS).ainvoke(problem, context=settings)))
    if variant.name == "sequential":
        return row_of(item, Solution.model_validate(await sequential.ainvoke(problem, context=settings)))
    adaptive = {**context, **VARIANTS["adaptive"].settings}
    if variant.fork:
        return row_of(item, await runs.fork(item, adaptive, settings, after=variant.fork))
    return row_of(item, await runs.whole(item, adaptive))


async def _sample(item: Item, problem: dict[str, Any], settings: dict[str, Any], *, tokens: int, most: int) -> Row:
    settings = {"temperature": TEMPERATURE, **settings}
    began = time.perf_counter()

    async def one() -> Solution:
        return Solution.model_validate(await sequential.ainvoke(problem, context=settings))

    first = await one()
    count = min(most, max(1, round(tokens / max(1, first.report.tokens.total))))
    samples = [first, *await asyncio.gather(*(one() for _ in range(count - 1)))]
    told = [sample for sample in samples if sample.outcome != "failed"]
    if not told:
        return row_of(item, first)
    chosen = vote([sample.answer for sample in told])
    row = row_of(item, first.model_copy(update={"answer": chosen, "outcome": "complete", "stop_reason": ""}))
    return row.model_copy(
        update={
            "wall_s": round(time.perf_counter() - began, 3),
            # The samples can run side by side, so the longest is what one waits for.
            "critical_path_tokens": max(sample.report.tokens.output for sample in samples),
            "output": sum(sample.report.tokens.output for sample in samples),
            "total": sum(sample.report.tokens.total for sample in samples),
            "stages": tokens_by_stage(call for sample in samples for call in sample.calls),
            "samples": count,
        }
    )

"""The variants: the same item answered in different ways, from the workflow down to one call."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langgraph.graph import END, START, StateGraph

from evals.items import Item
from evals.run.row import Row, planned_row, row_of
from evals.score import vote
from graphs import graph, sequential
from nodes.judge import judge
from nodes.llm.usage import Call, total_usage
from nodes.plan import Plan, ThreadSpec
from nodes.results import ThreadResult
from nodes.review import review
from nodes.settings import Settings
from nodes.state import Review, Solution, State

TEMPERATURE = 0.7
"""Of the samples that self-consistency votes on; at 0 all would be alike."""
MOST_SAMPLES = 40


@dataclass(frozen=True)
class Variant:
    """A way of answering."""

    name: str
    meaning: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    """Nodes before which the run is stopped; what came before is scored."""


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("adaptive", "the workflow as it is"),
        Variant("sequential", "the whole question in one call: the baseline"),
        Variant("always-parallel", "the workflow without its gate: every question is planned", {"split": "always"}),
        Variant("no-review", "the same, the results joined as they stand", {"split": "always", "review": False}),
        Variant("unscoped", "the same, every thread reading the whole input", {"split": "always", "scoped": False}),
        Variant("self-consistency", "the majority of single calls for the same total tokens as adaptive"),
        Variant("gate", "the assessment alone", {"split": "if_independent"}, stop=("decompose", "direct")),
        Variant("plan", "assessment and plan; no thread runs", {"split": "if_independent"}, stop=("solve", "direct")),
        Variant("review", "the reviewer alone, on recorded results"),
    )
}


async def answer(item: Item, variant: Variant, context: Mapping[str, Any], *, tokens: int, most: int) -> Row:
    """Answer an item and score it.

    Args:
        item: The item.
        variant: How.
        context: Settings.
        tokens: Tokens that self-consistency may use in all.
        most: Most samples that it takes.
    """
    settings = {**context, **variant.settings}
    problem = {"question": item.question, "documents": item.documents}
    if variant.stop:
        began, keys = time.perf_counter(), ["assessment", "plan", "calls", "repairs", "problems"]
        values = await graph.ainvoke(problem, context=settings, interrupt_before=list(variant.stop), output_keys=keys)
        return planned_row(item, values, time.perf_counter() - began)
    if variant.name == "review":
        return await _reviewed(item, settings)
    if variant.name == "self-consistency":
        return await _sampled(item, problem, settings, tokens=tokens, most=most)
    chosen = sequential if variant.name == "sequential" else graph
    return row_of(item, Solution.model_validate(await chosen.ainvoke(problem, context=settings)))


async def _sampled(item: Item, problem: dict[str, Any], settings: dict[str, Any], *, tokens: int, most: int) -> Row:
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
            "samples": count,
        }
    )


def build_reviewer() -> Any:
    """Compile the reviewer alone."""
    builder = StateGraph(State, context_schema=Settings)
    builder.add_node("review", review)
    builder.add_edge(START, "review")
    builder.add_edge("review", END)
    return builder.compile(name="review")


reviewer = build_reviewer()


async def _reviewed(item: Item, settings: dict[str, Any]) -> Row:
    began = time.perf_counter()
    values = await reviewer.ainvoke(_recorded(item), context=settings)
    calls: list[Call] = values.get("calls", [])
    reviews: list[Review] = values.get("reviews", [])
    usage = total_usage(calls)
    known = {
        "id": item.id,
        "wall_s": round(time.perf_counter() - began, 3),
        "output": usage.output,
        "critical_path_tokens": usage.output,
        "total": usage.total,
        "wrong": len(item.wrong),
        "contradictions": len(item.contradictions),
    }
    if not reviews:
        # No usable review: everything that was planted is missed.
        return Row(**known, error="; ".join(call.status for call in calls), score=0.0)
    return Row(**known, **found(item, reviews[-1]))


def found(item: Item, written: Review) -> dict[str, Any]:
    """Compare a review with what was planted.

    A planted error counts as found when its result is sent back; a contradiction, when it is named or one of its
    results is sent back. Whatever else is sent back or called contradicting is a false alarm.
    """
    results = list(_results(item).values())
    judged = judge(written, results)
    named = [set(one.thread_ids) for one in judged.contradictions]
    back = set(judged.critiques)
    pairs = [set(pair) for pair in item.contradictions]
    met = [pair for pair in pairs if pair & back or any(pair <= other for other in named)]
    planted = set(item.wrong).union(*pairs) if pairs else set(item.wrong)
    alarms = len(back.union(*named) - planted)
    wrong = len(back & set(item.wrong))
    wanted, got = len(item.wrong) + len(pairs), wrong + len(met)
    return {
        "wrong_found": wrong,
        "contradictions_found": len(met),
        "false_alarms": alarms,
        "score": got / wanted if wanted else float(alarms == 0),
    }


def _recorded(item: Item) -> dict[str, Any]:
    specs = [ThreadSpec(id=one.id, sources=[], subquestion=one.subquestion) for one in item.results]
    plan = Plan(shared_context="", parallelism=len(specs), threads=specs)
    return {"question": item.question, "plan": plan, "results": _results(item)}


def _results(item: Item) -> dict[str, ThreadResult]:
    return {
        one.id: ThreadResult(id=one.id, subquestion=one.subquestion, status="answered", answer=one.result)
        for one in item.results
    }

"""The variants: the same item answered in different ways, from the workflow down to one call."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langgraph.graph import END, START, StateGraph
from nodes.judge import judge

from evals.item import Item
from evals.run.forks import Runs
from evals.run.row import Row, planned_row, row_of, tokens_by_stage
from evals.score import vote
from graphs import graph, sequential
from nodes.llm.usage import Call, total_usage
from nodes.measure import make_report
from nodes.plan import ThreadPlan, ThreadSpec
from nodes.results import ThreadResult
from nodes.review import review
from nodes.settings import Settings
from nodes.state import Solution, State
from nodes.verdicts import Review, judge

TEMPERATURE = 0.7
"""Of the samples that self-consistency votes on; at 0 all would be alike."""
MOST_SAMPLES = 40
STRUCTURE = {"split": "if_independent"}
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
        Variant("adaptive", "the workflow; its gate looks at the structure alone, as in a fresh process", STRUCTURE),
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
        return planned_row(item, values, time.perf_counter() - began)
    if variant.name in REVIEWERS:
        return await _reviewed(item, settings)
    if variant.name == "self-consistency":
        return await _sampled(item, problem, settings, tokens=tokens, most=most)
    if variant.name == "sequential":
        return row_of(item, Solution.model_validate(await sequential.ainvoke(problem, context=settings)))
    adaptive = {**context, **VARIANTS["adaptive"].settings}
    if variant.fork:
        return row_of(item, await runs.fork(item, adaptive, settings, after=variant.fork))
    return row_of(item, await runs.whole(item, adaptive))


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
            "stages": tokens_by_stage(call for sample in samples for call in sample.calls),
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
    wall_s, usage = round(time.perf_counter() - began, 3), total_usage(calls)
    known = {
        "id": item.id,
        "wall_s": wall_s,
        "output": usage.output,
        # Checks of single results run side by side.
        "critical_path_tokens": make_report(
            calls, [], wall_s=wall_s, rounds=0, planned=0, repairs=[]
        ).critical_path_tokens,
        "total": usage.total,
        "stages": tokens_by_stage(calls),
        "wrong": len(item.wrong),
        "contradictions": len(item.contradictions),
    }
    if not reviews:
        # No usable review: everything that was planted is missed.
        return Row(**known, error="; ".join(call.status for call in calls), score=0.0)
    return Row(**known, **found(item, reviews[-1], list(values["results"].values())))


def found(item: Item, written: Review, results: Sequence[ThreadResult] = ()) -> dict[str, Any]:
    """Compare a review with what was planted.

    A planted error counts as found when its result is sent back for what is wrong with it; a contradiction, when its
    two results are named as a conflict or one of them is sent back. Whatever else is sent back or called contradicting
    is a false alarm.

    Args:
        item: The item.
        written: What the reviewer wrote.
        results: The results as the review left them; as they were recorded, if left out.
    """
    results = results or recorded_results(item)
    judged = judge(written, results)
    named = [set(one.threads) for one in judged.conflicts]
    back = set(judged.critiques) | {one.id for one in results if one.fault}
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
    specs = [ThreadSpec(id=one.id, subquestion=one.subquestion) for one in item.results]
    results = {result.id: result for result in recorded_results(item)}
    return {
        "question": item.question,
        "plan": ThreadPlan(parallelism=len(specs), threads=specs),
        "results": results,
    }


def recorded_results(item: Item) -> list[ThreadResult]:
    """Return an item's recorded results as threads leave theirs."""
    return [
        ThreadResult(id=one.id, subquestion=one.subquestion, status="answered", answer=one.result)
        for one in item.results
    ]

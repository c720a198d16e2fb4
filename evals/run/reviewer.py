"""The reviewer alone, on recorded results in which errors and contradictions were planted."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from langgraph.graph import END, START, StateGraph

from evals.item import Item
from evals.run.row import Row, tokens_by_stage
from nodes.asking.check import Check
from nodes.judging.verdicts import Review, judge
from nodes.llm.endpoints.usage import Call, total_usage
from nodes.llm.limits.budget import budget
from nodes.llm.limits.ledger import Spending
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.reporting.measure import make_report
from nodes.review import review
from nodes.settings import Settings
from nodes.shared.run import Run
from nodes.state import State, ThreadTask
from nodes.threads.results import ThreadResult


def build_reviewer() -> Any:
    """Compile the reviewer alone."""
    builder = StateGraph(State, context_schema=Settings)
    builder.add_node("review", review)
    builder.add_edge(START, "review")
    builder.add_edge("review", END)
    return builder.compile(name="review")


reviewer = build_reviewer()


async def review_item(item: Item, settings: dict[str, Any]) -> Row:
    """Have an item's recorded results reviewed, and score what was found."""
    began, given = time.perf_counter(), _read_recorded(item)
    if Settings(**settings).review == "careful":
        given |= await _check_results(item, Settings(**settings))
    values = await reviewer.ainvoke(given, context=settings)
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
    if calls and not reviews:
        # No usable review: everything that was planted is missed.
        return Row(**known, error="; ".join(call.status for call in calls), score=0.0)
    conflicts = [set(one.thread_ids) for one in values.get("contradictions", [])]
    return Row(
        **known,
        **compare_found(item, reviews[-1] if reviews else Review(), list(values["results"].values()), conflicts),
    )


async def _check_results(item: Item, settings: Settings) -> dict[str, Any]:
    """Check each recorded result in a call of its own, as threads have theirs checked when they end."""
    run = Run()
    within = budget(settings, run, "review", Spending())
    tasks = [ThreadTask(run=run, spec=_spec(result), segments=[]) for result in recorded_results(item)]
    checks = [Check(task, settings, within) for task in tasks]
    results = await asyncio.gather(
        *(check.run(result) for check, result in zip(checks, recorded_results(item), strict=True))
    )
    return {
        "run": run,
        "results": {result.id: result for result in results},
        "calls": [call for check in checks for call in check.calls],
    }


def compare_found(
    item: Item, written: Review, results: Sequence[ThreadResult] = (), conflicts: Sequence[set[str]] = ()
) -> dict[str, Any]:
    """Compare a review with what was planted.

    A planted error counts as found when its result is sent back for what is wrong with it; a contradiction, when its
    two results are named as a conflict or one of them is sent back. Whatever else is sent back or called contradicting
    is a false alarm.

    Args:
        item: The item.
        written: What the reviewer wrote.
        results: The results as the review left them; as they were recorded, if left out.
        conflicts: Ids of the results of each conflict that counted, a cross-check's among them.
    """
    results = results or recorded_results(item)
    judged = judge(written, results)
    named = [*(set(one.threads) for one in judged.conflicts), *conflicts]
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


def _read_recorded(item: Item) -> dict[str, Any]:
    results = {result.id: result for result in recorded_results(item)}
    plan = ThreadPlan(parallelism=len(results), threads=[_spec(result) for result in results.values()])
    return {"question": item.question, "plan": plan, "results": results}


def _spec(result: ThreadResult) -> ThreadSpec:
    return ThreadSpec(id=result.id, subquestion=result.subquestion)


def recorded_results(item: Item) -> list[ThreadResult]:
    """Return an item's recorded results as threads leave theirs."""
    return [
        ThreadResult(id=one.id, subquestion=one.subquestion, status="answered", answer=one.result, text=one.result)
        for one in item.results
    ]

"""How a run ends: outcome, answer and report."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from nodes.asking.results import missing_line
from nodes.llm.endpoints.usage import Call, add_calls
from nodes.llm.limits.budget import find_exhaustion
from nodes.llm.limits.ledger import spending
from nodes.planning.forecast import add_outcome
from nodes.planning.repair import Repair
from nodes.reporting.easy import count_easy
from nodes.reporting.estimate import learn
from nodes.reporting.measure import make_report
from nodes.reporting.prices import cost_of
from nodes.reporting.sources import list_sources
from nodes.reporting.tracing import tell_outcome
from nodes.settings import Settings
from nodes.state import Contradiction, Outcome, State
from nodes.threads.results import ThreadResult, list_missing, merge_results
from nodes.threads.solving import WHOLE, Solving


def conclude(
    state: State,
    settings: Settings,
    *,
    answer: str,
    calls: Sequence[Call] = (),
    shortfall: str = "",
    changed: Mapping[str, ThreadResult] | None = None,
    contradictions: Sequence[Contradiction] = (),
    solving: Sequence[Solving] = (),
) -> dict[str, Any]:
    """Return the update that ends a run with an answer, of which no word is ours; where it is empty, the run failed.

    Args:
        state: The run so far.
        settings: The run's settings.
        answer: The answer as written.
        calls: Requests that `state` does not hold yet.
        shortfall: Why the answer is less than it should be, apart from missing threads.
        changed: Results that `state` does not hold yet.
        contradictions: Those that stand.
        solving: How a direct answer was worked out, where that is more than one call.
    """
    threads = in_plan_order(state, merge_results(state.results, changed or {}))
    missing = list_missing(threads)
    outcome: Outcome = "failed" if not answer.strip() else "partial" if missing or shortfall else "complete"
    reasons = [shortfall] if shortfall else []
    if missing:
        reasons.append(
            f"{len(missing)} of {len(threads)} threads have no answer that stands after {state.round} extra rounds:"
        )
        reasons += [f"- {missing_line(thread)}" for thread in missing]
        if why := find_exhaustion(settings, state.run, spending([*state.calls, *calls])):
            reasons.append(why)
    if outcome == "failed":
        reasons = reasons or ["the model's reply was empty"]
    return {
        "answer": answer.strip(),
        "outcome": outcome,
        "stop_reason": "\n".join(reasons),
        "contradictions": list(contradictions),
        **_bookkeeping(state, settings, outcome, threads, calls, solving),
    } | ({"results": dict(changed)} if changed else {})


def conclude_failed(
    state: State,
    settings: Settings,
    reasons: Sequence[str],
    calls: Sequence[Call] = (),
    solving: Sequence[Solving] = (),
) -> dict[str, Any]:
    """Return the update that ends a run without an answer.

    Args:
        state: The run so far.
        settings: The run's settings.
        reasons: What went wrong, in words that can be shown.
        calls: Requests that `state` does not hold yet.
        solving: How a direct answer was sought, where that was more than one call.
    """
    threads = in_plan_order(state, state.results)
    lines = [*(missing_line(thread) for thread in threads if thread.status != "answered"), *reasons]
    return {
        "answer": "",
        "outcome": "failed",
        "stop_reason": "\n".join(lines),
        **_bookkeeping(state, settings, "failed", threads, calls, solving),
    }


def _bookkeeping(
    state: State,
    settings: Settings,
    outcome: Outcome,
    threads: list[ThreadResult],
    calls: Sequence[Call],
    solving: Sequence[Solving],
) -> dict[str, Any]:
    spawned = {id: into for id, into in state.refined.items() if id in state.results and state.results[id].parts}
    every, wall_s = add_calls(state.calls, calls), state.run.elapsed()
    report = make_report(
        every,
        threads,
        wall_s=wall_s,
        rounds=state.round,
        planned=len(threads),
        repairs=[
            *state.repairs,
            *(Repair(kind="stage", text=problem) for problem in state.problems),
            *_name_left_out(every),
        ],
        threads_suggested=len(state.assessment.subquestions) if state.assessment else 0,
        price=partial(cost_of, settings),
        marks={thread.id: thread.marks for thread in [*state.results.values(), *threads] if thread.marks},
        refined={id: into for id, into in state.refined.items() if id not in spawned},
        spawned=spawned,
        settings=settings.show(),
        solving=({WHOLE: list(solving)} if solving else {})
        | {thread.id: thread.solving for thread in threads if thread.solving},
        run=state.run,
        easy=count_easy(every, settings, partial(cost_of, settings)),
        forecast=state.forecast if outcome == "failed" else add_outcome(state.forecast, every, wall_s),
    )
    learn(state.calls)
    route = "parallel" if threads else "direct"
    tell_outcome(outcome, route, report)
    return {
        "threads": threads,
        "route": route,
        "sources": list_sources(state.segments()),
        "report": report,
        "redo": [],
        "calls": list(calls),
    }


def _name_left_out(calls: Sequence[Call]) -> list[Repair]:
    """Name the settings that models refuse, each once."""
    known = dict.fromkeys((call.model, setting) for call in calls for setting in call.left_out)
    return [
        Repair(kind="setting", text=f"`{model}` refuses the `{setting}` that was set: it was left out")
        for model, setting in known
    ]


def in_plan_order(state: State, results: Mapping[str, ThreadResult]) -> list[ThreadResult]:
    """List results in the order of the plan."""
    order = [thread.id for thread in state.plan.threads] if state.plan else []
    return [results[id] for id in order if id in results]

"""How a stage ends that got no reply, and how a run ends: outcome, answer and report."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from nodes.gate import came
from nodes.llm.budget import exhausted
from nodes.llm.caller import Caller
from nodes.llm.errors import ModelError
from nodes.llm.ledger import spending
from nodes.llm.text import one_line
from nodes.llm.usage import Call, add_calls
from nodes.measure import make_report
from nodes.outlook import learn
from nodes.prices import cost_of
from nodes.repairs import Repair
from nodes.results import ThreadResult, merge_results
from nodes.rot import WORDS
from nodes.settings import Settings
from nodes.sources import listed
from nodes.state import Contradiction, Outcome, State
from nodes.tracing import tell_outcome

MAX_ASKED = 200
"""Characters of a subquestion where a thread without an answer is named; whole, it stands in `threads`."""
_WORDS = {"answered": "answered", "failed": "failed", "timed_out": "timed out", "refuted": "refuted by the review"}


def stage_failed(stage: str, caller: Caller, error: ModelError) -> dict[str, Any]:
    """Return the update that records a stage without a usable reply; the run goes on without it.

    Args:
        stage: The stage's name.
        caller: Who asked.
        error: Why there was no reply.
    """
    dead = caller.model if error.hopeless else ""
    return {"problems": [f"{stage}: {error}"], "dead_model": dead, "calls": caller.calls}


def conclude(
    state: State,
    settings: Settings,
    *,
    answer: str,
    calls: Sequence[Call] = (),
    shortfall: str = "",
    changed: Mapping[str, ThreadResult] | None = None,
    contradictions: Sequence[Contradiction] = (),
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
    """
    threads = in_plan_order(state, merge_results(state.results, changed or {}))
    missing = [thread for thread in threads if thread.status != "answered"]
    outcome: Outcome = "failed" if not answer.strip() else "partial" if missing or shortfall else "complete"
    reasons = [shortfall] if shortfall else []
    if missing:
        reasons.append(
            f"{len(missing)} of {len(threads)} threads have no answer that stands after {state.round} extra rounds:"
        )
        reasons += [f"- {missing_line(thread)}" for thread in missing]
        if why := exhausted(settings, state.run, spending([*state.calls, *calls])):
            reasons.append(why)
    if outcome == "failed":
        reasons = reasons or ["the model's reply was empty"]
    return {
        "answer": answer.strip(),
        "outcome": outcome,
        "stop_reason": "\n".join(reasons),
        "contradictions": list(contradictions),
        **_bookkeeping(state, settings, outcome, threads, calls),
    } | ({"results": dict(changed)} if changed else {})


def conclude_failed(
    state: State, settings: Settings, reasons: Sequence[str], calls: Sequence[Call] = ()
) -> dict[str, Any]:
    """Return the update that ends a run without an answer.

    Args:
        state: The run so far.
        settings: The run's settings.
        reasons: What went wrong, in words that can be shown.
        calls: Requests that `state` does not hold yet.
    """
    threads = in_plan_order(state, state.results)
    lines = [*(missing_line(thread) for thread in threads if thread.status != "answered"), *reasons]
    return {
        "answer": "",
        "outcome": "failed",
        "stop_reason": "\n".join(lines),
        **_bookkeeping(state, settings, "failed", threads, calls),
    }


def _bookkeeping(
    state: State, settings: Settings, outcome: Outcome, threads: list[ThreadResult], calls: Sequence[Call]
) -> dict[str, Any]:
    every, wall_s = add_calls(state.calls, calls), state.run.elapsed()
    report = make_report(
        every,
        threads,
        wall_s=wall_s,
        rounds=state.round,
        planned=len(threads),
        repairs=[*state.repairs, *(Repair(kind="stage", text=problem) for problem in state.problems)],
        suggested=len(state.assessment.subquestions) if state.assessment else 0,
        price=partial(cost_of, settings),
        marks={thread.id: thread.marks for thread in [*state.results.values(), *threads] if thread.marks},
        refined=state.refined,
        settings=settings.shown(),
        forecast=state.forecast if outcome == "failed" else came(state.forecast, every, wall_s),
    )
    learn(state.calls)
    route = "parallel" if threads else "direct"
    tell_outcome(outcome, route, report)
    return {
        "threads": threads,
        "route": route,
        "sources": listed(state.segments()),
        "report": report,
        "redo": [],
        "calls": list(calls),
    }


def in_plan_order(state: State, results: Mapping[str, ThreadResult]) -> list[ThreadResult]:
    """List results in the order of the plan."""
    order = [thread.id for thread in state.plan.threads] if state.plan else []
    return [results[id] for id in order if id in results]


def missing_line(thread: ThreadResult) -> str:
    """Say which thread has no answer that stands, and why."""
    why = thread.error or "; ".join(WORDS[mark] for mark in thread.marks)
    return f"{thread.id} ({one_line(thread.subquestion, MAX_ASKED)}): {_WORDS[thread.status]}: {why}"


def put_together(threads: Sequence[ThreadResult]) -> str:
    """Lay the standing results side by side: the answer when the reviewer wrote none."""
    return "\n\n".join(f"{thread.subquestion}\n{thread.answer}" for thread in threads if thread.status == "answered")

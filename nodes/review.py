"""Review: find what is wrong with the results, send threads back by name, or conclude with the one answer."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.runtime import Runtime

from nodes.asking.crosscheck import Crossed, cross_check
from nodes.asking.join import join
from nodes.asking.results import name_missing, open_parts, put_together
from nodes.asking.review import AS_A_LIST, REVIEW, ends_with_call, find_evidence, messages
from nodes.boundary.progress import tell_stage
from nodes.conclude import conclude, in_plan_order
from nodes.judging.verdicts import Conflict, Judgement, Review, judge
from nodes.llm.endpoints.usage import Call
from nodes.llm.limits.budget import find_exhaustion
from nodes.llm.limits.ledger import spending
from nodes.llm.replies.errors import ModelError
from nodes.planning.answer_list import as_list
from nodes.planning.branches import find_settled, with_dependents
from nodes.planning.finer import to_split, without_vain_splits
from nodes.settings import Settings, settings_of
from nodes.state import Contradiction, State
from nodes.threads.cache import remember
from nodes.threads.results import Mark, ThreadResult, list_missing


async def review(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Judge what is answered; what failed or shows signs of context rot goes back without asking the model."""
    plan = without_vain_splits(state.plan, state.results, state.refined) if state.plan else None
    update = {"plan": plan} | await _review(state.model_copy(update={"plan": plan}), runtime)
    await remember(update.get("threads", []), settings_of(runtime))
    return update


async def _review(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    settings = settings_of(runtime)
    if handed_on := _hand_on(state, settings):
        return handed_on
    threads, rounds_left = in_plan_order(state, state.results), _rounds_left(state, settings)
    large = _too_large(state, settings, threads) if rounds_left > 0 else []
    answered = [thread for thread in threads if thread.status == "answered" and thread not in large]
    back = _list_unsettled(state, [thread for thread in threads if thread not in answered]) if rounds_left > 0 else []
    if not answered:
        return _send_back(state, settings, back, {}) if back else {"redo": []}
    listed, missing = _list_answer(state), list_missing(threads)
    # Sums in long results are done again in a thread of its own, so that no other run waits.
    found = [] if settings.review == "off" else await asyncio.to_thread(find_evidence, state, answered)
    if settings.review == "off" or not (found or ends_with_call(settings, listed=bool(listed))):
        if back:
            return _send_back(state, settings, back, {})
        if listed:
            return conclude(state, settings, answer=listed)
        tell_stage(runtime, "review", state.round)
        joined = await join(state, settings, answered, missing)
        return conclude(state, settings, answer=joined.answer, calls=joined.calls, shortfall=joined.shortfall)
    tell_stage(runtime, "review", state.round)
    return await _ask_reviewer(state, settings, answered, back, listed, found)


async def _ask_reviewer(
    state: State,
    settings: Settings,
    answered: Sequence[ThreadResult],
    back: Sequence[ThreadResult],
    listed: str,
    found: Sequence[str],
) -> dict[str, Any]:
    """Have the results judged; where the reviewer fails, they stand unreviewed, or what failed before runs again."""
    threads = in_plan_order(state, state.results)
    broken = back or list_missing(threads)
    said = AS_A_LIST if listed else open_parts(state) + name_missing(broken, to_run_again=bool(back))
    crossed = await cross_check(state, settings, answered) if settings.review == "careful" else Crossed()
    caller = REVIEW.caller(settings, state.run, [*state.calls, *crossed.calls], round=state.round)
    try:
        asked = messages(state, settings, answered, said, listed=bool(listed), found=found, crossed=crossed.evidence)
        written = await caller.structured(asked, Review)
    except ModelError as error:
        calls = [*crossed.calls, *caller.calls]
        if back and _rounds_left(state, settings, calls) > 0:
            return _send_back(state, settings, back, {}) | {"calls": calls}
        shortfall = f"the results stand unreviewed, since the review failed: {error}"
        return conclude(state, settings, answer=listed or put_together(threads), calls=calls, shortfall=shortfall)
    judged = judge(written, answered, crossed.conflicts)
    return _act(state, settings, written, judged, answered, listed, [*crossed.calls, *caller.calls])


def _hand_on(state: State, settings: Settings) -> dict[str, Any]:
    """Have the parts worked on that threads handed on, before anything is judged; nothing where there are none.

    What failed beside them runs again in the same round, if it may.
    """
    threads = in_plan_order(state, state.results)
    spawning = [thread for thread in threads if thread.parts and not thread.stopped]
    if not spawning or find_exhaustion(settings, state.run, spending(state.calls)):
        return {}
    broken = [thread for thread in threads if thread.status != "answered" and not thread.parts]
    back = _list_unsettled(state, broken) if _rounds_left(state, settings) > 0 else []
    update = _send_back(state, settings, [*spawning, *back], {})
    only = {} if back else {"spawn_rounds": state.spawn_rounds + 1}
    return update | only | {"split": [*(thread.id for thread in spawning), *update["split"]]}


def _act(
    state: State,
    settings: Settings,
    written: Review,
    judged: Judgement,
    answered: Sequence[ThreadResult],
    listed: str,
    calls: Sequence[Call],
) -> dict[str, Any]:
    """Do what follows from a review: send back what does not stand, else end with the answer."""
    critiques = _critiques(judged, answered)
    refuted = {id: _refute(state.results[id], critique) for id, critique in critiques.items()}
    contradictions = [_contradiction(conflict) for conflict in judged.conflicts]
    told = {
        "reviews": [*state.reviews, Review(**written.model_dump())],
        "results": refuted,
        "contradictions": contradictions,
        "repairs": [*state.repairs, *judged.repairs],
    }
    threads = [refuted.get(thread.id, thread) for thread in in_plan_order(state, state.results)]
    sound = [thread.id for thread in answered if thread.id not in refuted]
    back = _list_unsettled(state, [thread for thread in threads if thread.id not in sound])
    if back and _rounds_left(state, settings, calls) > 0:
        return _send_back(state, settings, back, critiques) | told | {"calls": list(calls)}
    standing = [thread for thread in threads if thread.status == "answered"]
    answer = written.answer.strip() or ("" if refuted else listed) or put_together(standing)
    if not answer:
        return {"redo": [], "calls": list(calls)} | told
    concluding = state.model_copy(update={"repairs": told["repairs"]})
    return told | conclude(
        concluding, settings, answer=answer, calls=calls, changed=refuted, contradictions=contradictions
    )


def _critiques(judged: Judgement, answered: Sequence[ThreadResult]) -> dict[str, str]:
    """Tell what is wrong with each thread that goes back: by the review, by its own check, or by a conflict.

    Of conflicting threads those go back that the reviewer wants redone; where it settled on none, all of them do.
    """
    checks = {thread.id: thread.fault for thread in answered if thread.fault}
    critiques = checks | judged.critiques
    for conflict in judged.conflicts:
        if not critiques.keys() & set(conflict.threads):
            critiques |= dict.fromkeys(conflict.threads, f"It contradicts another result: {_side_by_side(conflict)}.")
    return critiques


def _side_by_side(conflict: Conflict) -> str:
    return "; ".join(f"{id}: “{quote}”" for id, quote in zip(conflict.threads, conflict.quotes, strict=True))


def _contradiction(conflict: Conflict) -> Contradiction:
    return Contradiction(claim=_side_by_side(conflict), thread_ids=conflict.threads, quotes=conflict.quotes)


def _list_answer(state: State) -> str:
    """Return the answer where the results are the answer; else nothing."""
    if state.plan is None or state.plan.answer != "list":
        return ""
    return as_list(state.plan, state.segments(), state.results)


def _rounds_left(state: State, settings: Settings, calls: Sequence[Call] = ()) -> int:
    """Return how many extra rounds are left, none when time or tokens run out; `calls` are not in the state yet."""
    spent = spending([*state.calls, *calls])
    left = settings.max_rounds - (state.round - state.spawn_rounds)
    return 0 if find_exhaustion(settings, state.run, spent) else left


def _too_large(state: State, settings: Settings, threads: Sequence[ThreadResult]) -> list[ThreadResult]:
    """List those of `threads` that are split when they run again."""
    running = [thread for thread in threads if not thread.stopped]
    return to_split(running, state.plan, state.refined, max_threads=settings.max_threads)


def _list_unsettled(state: State, unsound: Sequence[ThreadResult]) -> list[ThreadResult]:
    """List those of the threads whose result does not stand that may run again."""
    settled = _find_settled(state, {thread.id for thread in unsound})
    return [thread for thread in unsound if thread.id not in settled]


def _find_settled(state: State, unsound: set[str]) -> set[str]:
    results, specs = in_plan_order(state, state.results), state.plan.threads if state.plan else []
    return find_settled(results, unsound.union(one.id for one in results if one.status != "answered"), specs)


def _send_back(
    state: State, settings: Settings, threads: Sequence[ThreadResult], critiques: Mapping[str, str]
) -> dict[str, Any]:
    ids = {thread.id for thread in threads}
    specs = state.plan.threads if state.plan else []
    # What was built on a result that does not stand, does not stand either.
    ids = with_dependents(ids, specs) - _find_settled(state, ids)
    return {
        "redo": [spec.id for spec in specs if spec.id in ids],
        "split": [thread.id for thread in _too_large(state, settings, threads)],
        "critiques": {thread.id: critiques.get(thread.id) or state.critiques.get(thread.id, "") for thread in threads},
        "round": state.round + 1,
    }


def _refute(thread: ThreadResult, critique: str) -> ThreadResult:
    twice: list[Mark] = ["sent_back_twice"] if thread.rounds > 1 else []
    marks = list(dict.fromkeys([*thread.marks, *twice]))
    return thread.model_copy(update={"status": "refuted", "error": critique, "marks": marks})

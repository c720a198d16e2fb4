"""Review: judge the results, send threads back by name, or write the one answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.runtime import Runtime

from nodes.conclude import conclude, in_plan_order, missing_line, put_together
from nodes.finer import to_split, without_vain_splits
from nodes.join import as_lines, join
from nodes.judge import judge
from nodes.listing import as_a_list
from nodes.llm.budget import budget, exhausted
from nodes.llm.caller import Caller
from nodes.llm.errors import ModelError
from nodes.llm.ledger import spending
from nodes.llm.usage import Call
from nodes.progress import tell_stage
from nodes.related import related
from nodes.results import Mark, ThreadResult
from nodes.settings import Settings, settings_of
from nodes.state import Review, State
from nodes.thread_cache import remember
from prompts import PROMPTS, Prompt, block

AS_A_LIST = "The results answer a list and are put together as they stand, so leave `answer` empty.\n\n"
VERSIONS = PROMPTS["review"].checked({"instructions", "missing", "question", "results", "rounds"}, Review)


async def review(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Judge what is answered; what failed or shows signs of context rot goes back without asking the model."""
    plan = without_vain_splits(state.plan, state.results, state.refined) if state.plan else None
    update = {"plan": plan} | await _review(state.model_copy(update={"plan": plan}), runtime)
    await remember(update.get("threads", []), settings_of(runtime))
    return update


async def _review(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    settings = settings_of(runtime)
    threads, rounds_left = in_plan_order(state, state.results), _rounds_left(state, settings)
    large = _too_large(state, settings, threads) if rounds_left > 0 else []
    answered = [thread for thread in threads if thread.status == "answered" and thread not in large]
    broken = [thread for thread in threads if thread not in answered]
    if not answered:
        return _send_back(state, settings, broken, {}) if rounds_left > 0 else {"redo": []}
    listed = as_a_list(state.plan, state.segments(), state.results) if state.plan and not broken else ""
    if not settings.review:
        if broken and rounds_left > 0:
            return _send_back(state, settings, broken, {})
        if listed:
            return conclude(state, settings, answer=listed)
        tell_stage(runtime, "review", state.round)
        return await join(state, settings, answered, broken)
    tell_stage(runtime, "review", state.round)
    within = budget(settings, state.run, "review", spending(state.calls))
    prompt = VERSIONS.chosen(settings.prompts)
    caller = Caller(settings, "review", run=state.run, prompt=prompt.label, budget=within, round=state.round)
    said = AS_A_LIST if listed else _missing(broken, rounds_left)
    try:
        written = await caller.structured(messages(prompt, state, answered, said, rounds_left), Review)
    except ModelError as error:
        if broken and _rounds_left(state, settings, caller.calls) > 0:
            return _send_back(state, settings, broken, {}) | {"calls": caller.calls}
        shortfall = f"the results stand unreviewed, since the review failed: {error}"
        return conclude(state, settings, answer=put_together(threads), calls=caller.calls, shortfall=shortfall)
    given = "\n".join([state.instructions, *(segment.text for segment in state.segments())])
    critiques, contradictions = judge(written, answered, given)
    refuted = {id: _refuted(state.results[id], critique) for id, critique in critiques.items()}
    told = {"reviews": [*state.reviews, written], "results": refuted, "contradictions": contradictions}
    if (refuted or broken) and _rounds_left(state, settings, caller.calls) > 0:
        back = [refuted.get(thread.id, thread) for thread in threads if thread in broken or thread.id in refuted]
        return _send_back(state, settings, back, critiques) | told | {"calls": caller.calls}
    standing = [thread for thread in threads if thread.status == "answered" and thread.id not in refuted]
    answer = (listed if not refuted else "") or written.answer.strip() or put_together(standing)
    if not answer:
        return {"redo": [], "calls": caller.calls} | told
    return told | conclude(
        state, settings, answer=answer, calls=caller.calls, changed=refuted, contradictions=contradictions
    )


def _rounds_left(state: State, settings: Settings, calls: Sequence[Call] = ()) -> int:
    """Return how many extra rounds are left, none when time or tokens run out; `calls` are not in the state yet."""
    spent = spending([*state.calls, *calls])
    return 0 if exhausted(settings, state.run, spent) else settings.max_rounds - state.round


def _too_large(state: State, settings: Settings, threads: Sequence[ThreadResult]) -> list[ThreadResult]:
    """List those of `threads` that are split when they run again."""
    return to_split(threads, state.plan, state.refined, max_threads=settings.max_threads)


def _send_back(
    state: State, settings: Settings, threads: Sequence[ThreadResult], critiques: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "redo": [thread.id for thread in threads],
        "split": [thread.id for thread in _too_large(state, settings, threads)],
        "critiques": {thread.id: critiques.get(thread.id) or state.critiques.get(thread.id, "") for thread in threads},
        "round": state.round + 1,
    }


def _refuted(thread: ThreadResult, critique: str) -> ThreadResult:
    twice: list[Mark] = ["sent_back_twice"] if thread.rounds > 1 else []
    marks = list(dict.fromkeys([*thread.marks, *twice]))
    return thread.model_copy(update={"status": "refuted", "error": critique, "marks": marks})


def _missing(broken: Sequence[ThreadResult], rounds_left: int) -> str:
    title = (
        "These threads run again, so leave `answer` empty" if rounds_left > 0 else "Missing, to be said in the answer"
    )
    return block(title, "\n".join(f"- {missing_line(thread)}" for thread in broken))


def messages(
    prompt: Prompt,
    state: State,
    answered: Sequence[ThreadResult],
    said: str,
    rounds_left: int,
) -> Any:
    """Ask for the verdicts and the answer."""
    return prompt.messages(
        question=state.question,
        instructions=block("Instructions", state.instructions),
        results=listed(answered),
        missing=said,
        rounds=str(max(0, rounds_left)),
    )


def listed(answered: Sequence[ThreadResult]) -> str:
    """Write the results for the reviewer, each with those to compare it with."""
    return as_lines(answered, related(answered))

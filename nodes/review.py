"""Review: judge the results, send threads back by name, or write the one answer."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from langgraph.runtime import Runtime

from nodes.conclude import conclude, in_plan_order, missing_line, put_together
from nodes.finer import to_split, without_vain_splits
from nodes.join import as_lines, join
from nodes.llm.budget import budget, exhausted
from nodes.llm.caller import Caller
from nodes.llm.errors import ModelError
from nodes.llm.ledger import spending
from nodes.llm.usage import Call
from nodes.progress import tell_stage
from nodes.related import may_disagree, related
from nodes.results import Mark, ThreadResult
from nodes.settings import Settings, settings_of
from nodes.state import Contradiction, Review, State, Verdict
from prompts import PROMPTS, Prompt, block

VERSIONS = PROMPTS["review"].checked({"instructions", "missing", "question", "results", "rounds"}, Review)


class Judgement(NamedTuple):
    """A review, checked against the threads that it is about."""

    critiques: dict[str, str]
    """By id of each thread that does not stand."""
    contradictions: list[Contradiction]


async def review(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Judge what is answered; what failed or shows signs of context rot goes back without asking the model."""
    plan = without_vain_splits(state.plan, state.results, state.refined) if state.plan else None
    return {"plan": plan} | await _review(state.model_copy(update={"plan": plan}), runtime)


async def _review(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    settings = settings_of(runtime)
    threads, rounds_left = in_plan_order(state, state.results), _rounds_left(state, settings)
    large = _too_large(state, settings, threads) if rounds_left > 0 else []
    answered = [thread for thread in threads if thread.status == "answered" and thread not in large]
    broken = [thread for thread in threads if thread not in answered]
    if not answered:
        return _send_back(state, settings, broken, {}) if rounds_left > 0 else {"redo": []}
    if not settings.review:
        if broken and rounds_left > 0:
            return _send_back(state, settings, broken, {})
        tell_stage(runtime, "review", state.round)
        return await join(state, settings, answered, broken)
    tell_stage(runtime, "review", state.round)
    within = budget(settings, state.run, "review", spending(state.calls))
    prompt = VERSIONS.chosen(settings.prompts)
    caller = Caller(settings, "review", run=state.run, prompt=prompt.label, budget=within, round=state.round)
    try:
        written = await caller.structured(_messages(prompt, state, answered, broken, rounds_left), Review)
    except ModelError as error:
        if broken and _rounds_left(state, settings, caller.calls) > 0:
            return _send_back(state, settings, broken, {}) | {"calls": caller.calls}
        shortfall = f"the results stand unreviewed, since the review failed: {error}"
        return conclude(state, settings, answer=put_together(threads), calls=caller.calls, shortfall=shortfall)
    critiques, contradictions = judge(written, answered)
    refuted = {id: _refuted(state.results[id], critique) for id, critique in critiques.items()}
    told = {"reviews": [*state.reviews, written], "results": refuted, "contradictions": contradictions}
    if (refuted or broken) and _rounds_left(state, settings, caller.calls) > 0:
        back = [refuted.get(thread.id, thread) for thread in threads if thread in broken or thread.id in refuted]
        return _send_back(state, settings, back, critiques) | told | {"calls": caller.calls}
    standing = [thread for thread in threads if thread.status == "answered" and thread.id not in refuted]
    answer = written.answer.strip() or put_together(standing)
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


def judge(review: Review, answered: Sequence[ThreadResult]) -> Judgement:
    """Read a review: which threads do not stand, and why.

    Words about threads that were not asked about are dropped, and so are contradictions between results that share
    no word, which small models make up. A thread that could not be judged stands; where its critique names another
    one, the two contradict each other. Of contradicting threads the ones that the reviewer wants redone do not stand;
    where it settled on none, none of them does.
    """
    known = {thread.id: thread for thread in answered}
    verdicts = {word.thread_id: word for word in review.verdicts if word.thread_id in known}
    critiques = {
        id: word.critique.strip() or "The result was judged wrong."
        for id, word in verdicts.items()
        if word.verdict == "retry" and not _made_up(id, word.critique, known)
    }
    wanted_back, contradictions = set(critiques), _contradictions(review, verdicts, known)
    for contradiction in contradictions:
        named = contradiction.thread_ids
        if wanted_back & set(named):
            continue
        for id in named:
            if id not in critiques and (id not in verdicts or verdicts[id].verdict != "could_not_judge"):
                critiques[id] = (
                    f"It contradicts {', '.join(other for other in named if other != id)}: {contradiction.claim}"
                )
    return Judgement({id: critiques[id] for id in known if id in critiques}, contradictions)


def _contradictions(
    review: Review, verdicts: Mapping[str, Verdict], known: Mapping[str, ThreadResult]
) -> list[Contradiction]:
    """List the contradictions that can be some: those named, then those told by what could not be judged."""
    told = list(review.contradictions)
    named = {id for contradiction in told for id in contradiction.thread_ids}
    for id, word in verdicts.items():
        if word.verdict == "could_not_judge" and id not in named:
            ids = [id, *_named_in(word.critique, id, known)]
            told.append(Contradiction(thread_ids=ids, claim=word.critique.strip()))
            named |= set(ids) if len(ids) > 1 else set()
    found = []
    for contradiction in told:
        ids = [id for id in dict.fromkeys(contradiction.thread_ids) if id in known]
        ids = [id for id in ids if any(may_disagree(known[id], known[other]) for other in ids if other != id)]
        if len(ids) > 1:
            found.append(Contradiction(thread_ids=ids, claim=contradiction.claim))
    return found


def _named_in(critique: str, id: str, known: Mapping[str, ThreadResult]) -> list[str]:
    names = re.findall(r"\bT\d+(?:\.\d+)*\b", critique)
    return [name for name in dict.fromkeys(names) if name in known and name != id]


def _made_up(id: str, critique: str, known: Mapping[str, ThreadResult]) -> bool:
    """Tell whether a critique rests on another result alone that is about something else."""
    others = _named_in(critique, id, known)
    return bool(others) and not any(may_disagree(known[id], known[other]) for other in others)


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


def _messages(
    prompt: Prompt,
    state: State,
    answered: Sequence[ThreadResult],
    broken: Sequence[ThreadResult],
    rounds_left: int,
) -> Any:
    title = (
        "These threads run again, so leave `answer` empty" if rounds_left > 0 else "Missing, to be said in the answer"
    )
    return prompt.messages(
        question=state.question,
        instructions=block("Instructions", state.instructions),
        results=listed(answered),
        missing=block(title, "\n".join(f"- {missing_line(thread)}" for thread in broken)),
        rounds=str(max(0, rounds_left)),
    )


def listed(answered: Sequence[ThreadResult]) -> str:
    """Write the results for the reviewer, and which of them to compare."""
    pairs = [f"{pair.one} and {pair.other} ({', '.join(pair.words)})" for pair in related(answered)]
    compare = f"\nPerhaps on the same thing: {'; '.join(pairs)}" if pairs else ""
    return as_lines(answered) + compare

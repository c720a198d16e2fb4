"""Cross-check: each subquestion is asked of the other results, so that results that contradict each other are seen.

A small model that is to find contradictions among all results finds next to none; asked what the others say of one
subquestion, in a word, it reads that off (`evals/NOTES.md`). Whether that word is the result, code can tell.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from nodes.asking.check import ask_whole
from nodes.asking.results import as_lines
from nodes.judging.agreement import agree, stands_in
from nodes.judging.verdicts import Conflict
from nodes.llm.caller import Caller
from nodes.llm.endpoints.usage import Call
from nodes.llm.limits.budget import budget
from nodes.llm.limits.ledger import spending
from nodes.settings import Settings
from nodes.shared.cleaning import one_line
from nodes.stage import Stage
from nodes.state import State
from nodes.threads.results import ThreadResult
from prompts import PROMPTS

CROSSCHECK = Stage("review", PROMPTS["crosscheck"].check({"question", "results"}), "review")
AFTER_CHECK = 2
"""The step of a thread's work that comes after the two of its check."""
MAX_QUOTED_CHARACTERS = 200
"""Characters of a result that are quoted."""


class Crossed(NamedTuple):
    """What a cross-check found."""

    conflicts: Sequence[Conflict] = ()
    evidence: Sequence[str] = ()
    """The same for the reviewer, such as `T1: 1871, but by T2 it is 1864`."""
    calls: Sequence[Call] = ()
    """Every request made."""


async def cross_check(state: State, settings: Settings, answered: Sequence[ThreadResult]) -> Crossed:
    """Ask each subquestion of the other results, all at once; a call that fails finds nothing.

    Args:
        state: The run's state.
        settings: The run's settings.
        answered: The results that are to be compared.
    """
    if len(answered) < 2:
        return Crossed()
    within = budget(settings, state.run, CROSSCHECK.share, spending(state.calls))
    specs = {spec.id: spec for spec in state.plan.threads} if state.plan else {}
    asked = [
        CROSSCHECK.task(settings, state.run, within, thread=specs.get(one.id), round=state.round, step=AFTER_CHECK)
        for one in answered
    ]
    callers = [Caller(settings, task) for task in asked]
    said = await asyncio.gather(
        *(_ask(caller, one, answered, settings) for caller, one in zip(callers, answered, strict=True))
    )
    found = [
        (one, word, other)
        for one, word in zip(answered, said, strict=True)
        if (other := _find_contradicting(one, word, answered))
    ]
    return Crossed(
        list({frozenset((one.id, other.id)): _conflict(one, other) for one, _, other in found}.values()),
        [
            f"{one.id}: {one_line(one.answer, MAX_QUOTED_CHARACTERS)}; but by {other.id}: {word}"
            for one, word, other in found
        ],
        [call for caller in callers for call in caller.calls],
    )


async def _ask(caller: Caller, one: ThreadResult, answered: Sequence[ThreadResult], settings: Settings) -> str:
    others = [other for other in answered if other.id != one.id]
    asked = CROSSCHECK.prompt(settings).messages(results=as_lines(others), question=one.subquestion)
    return one_line(await ask_whole(caller, asked), MAX_QUOTED_CHARACTERS)


def _find_contradicting(one: ThreadResult, word: str, answered: Sequence[ThreadResult]) -> ThreadResult | None:
    """Find the other result in which stands what a subquestion came to, where that is not its own result."""
    if agree(word, one.answer):
        return None
    return next((other for other in answered if other.id != one.id and stands_in(word, other.answer)), None)


def _conflict(*results: ThreadResult) -> Conflict:
    return Conflict(
        threads=[one.id for one in results], quotes=[one.answer[:MAX_QUOTED_CHARACTERS].strip() for one in results]
    )

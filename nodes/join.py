"""Join: write the one answer from the results, where nothing judges them."""

from collections.abc import Sequence
from typing import Any

from nodes.conclude import conclude, missing_line, put_together
from nodes.input.excerpts import json_line
from nodes.llm.caller import Caller
from nodes.llm.limits.budget import budget
from nodes.llm.limits.ledger import spending
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.text import shorten
from nodes.settings import Settings
from nodes.state import State
from nodes.threads.results import ThreadResult
from prompts import PROMPTS, block

VERSIONS = PROMPTS["join"].checked({"instructions", "missing", "question", "results"})
MAX_RESULT = 2_000
"""Characters of a result that the reader of all results sees, so that a hundred of them fit one context."""


async def join(
    state: State, settings: Settings, answered: Sequence[ThreadResult], broken: Sequence[ThreadResult]
) -> dict[str, Any]:
    """Ask for the answer and end the run with it."""
    prompt = VERSIONS.chosen(settings.prompts)
    within = budget(settings, state.run, "review", spending(state.calls))
    caller = Caller(settings, "review", run=state.run, prompt=prompt.label, budget=within, round=state.round)
    messages = prompt.messages(
        question=state.question,
        instructions=block("Instructions", state.instructions),
        results=as_lines(answered),
        missing=open_parts(state)
        + block("Missing, to be said in the answer", "\n".join(f"- {missing_line(item)}" for item in broken)),
    )
    try:
        reply = await caller.text(messages)
        answer, shortfall = reply.text, reply.shortfall
    except ModelError as error:
        answer = put_together(answered)
        shortfall = f"the results stand side by side, since joining them failed: {error}"
    return conclude(state, settings, answer=answer, calls=caller.calls, shortfall=shortfall)


def open_parts(state: State) -> str:
    """Name the parts that are worked out from the results."""
    waiting = state.plan.open_parts if state.plan else []
    return block("To be worked out from the results (#1 is the result of T1)", "\n".join(f"- {p}" for p in waiting))


def as_lines(results: Sequence[ThreadResult]) -> str:
    """Write results as JSON lines: whatever a thread wrote, it cannot end its own line and speak to the reader."""
    return "\n".join(
        json_line({"id": item.id, "asked": item.subquestion, "result": shorten(item.answer, MAX_RESULT)})
        for item in results
    )

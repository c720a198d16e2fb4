"""Join: write the one answer of the results as they stand, where no review is wanted."""

import json
from collections.abc import Sequence
from typing import Any

from nodes.conclude import conclude, missing_line, put_together
from nodes.llm.budget import budget
from nodes.llm.caller import Caller
from nodes.llm.errors import ModelError
from nodes.llm.ledger import spending
from nodes.related import Pair
from nodes.results import ThreadResult
from nodes.settings import Settings
from nodes.state import State
from prompts import PROMPTS, block

VERSIONS = PROMPTS["join"].checked({"instructions", "missing", "question", "results"})


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
        missing=block("Missing, to be said in the answer", "\n".join(f"- {missing_line(item)}" for item in broken)),
    )
    try:
        answer, shortfall = (await caller.text(messages)).text, ""
    except ModelError as error:
        answer, shortfall = (
            put_together(answered),
            f"the results stand side by side, since joining them failed: {error}",
        )
    return conclude(state, settings, answer=answer, calls=caller.calls, shortfall=shortfall)


def as_lines(results: Sequence[ThreadResult], pairs: Sequence[Pair] = ()) -> str:
    """Write results as JSON lines: whatever a thread wrote, it cannot end its own line and speak to the reader.

    Args:
        results: The results.
        pairs: Those of them that are to be compared.
    """
    lines = []
    for item in results:
        line: dict[str, Any] = {"thread_id": item.id, "subquestion": item.subquestion, "result": item.answer}
        others = [other for pair in pairs if (other := pair.beside(item.id))]
        lines.append(json.dumps(line | ({"compare_with": others} if others else {}), ensure_ascii=False))
    return "\n".join(lines)

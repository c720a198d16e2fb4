"""What the one who joins is asked: the one answer, from the results (pure)."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from nodes.asking.results import as_lines, missing_line, open_parts
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.state import State
from nodes.threads.results import ThreadResult
from prompts import PROMPTS, block

JOIN = Stage("review", PROMPTS["join"].check({"instructions", "missing", "question", "results"}), "review")


def messages(
    state: State, settings: Settings, answered: Sequence[ThreadResult], broken: Sequence[ThreadResult]
) -> list[BaseMessage]:
    """Ask for the answer from what is answered, and name what is missing."""
    missing = block("Missing, to be said in the answer", "\n".join(f"- {missing_line(item)}" for item in broken))
    return JOIN.prompt(settings).messages(
        question=state.question,
        instructions=block("Instructions", state.instructions),
        results=as_lines(answered),
        missing=open_parts(state) + missing,
    )

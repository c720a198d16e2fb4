"""What is asked in one call: the whole question, with all its documents (pure)."""

from langchain_core.messages import BaseMessage

from nodes.input.excerpts import whole
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.state import Problem
from prompts import PROMPTS, block

DIRECT = Stage("solve", PROMPTS["direct"].check({"instructions", "material", "question"}), "direct")


def messages(state: Problem, settings: Settings) -> list[BaseMessage]:
    """Ask the whole question, with all its documents."""
    documents = [segment for segment in state.segments() if segment.kind != "question"]
    return DIRECT.prompt(settings).messages(
        instructions=block("Instructions", state.instructions),
        material=block("Material", whole(documents)),
        question=state.question,
    )

"""What the planner is asked where the outline does not suffice: a plan (pure)."""

from langchain_core.messages import BaseMessage

from nodes.input.excerpts import overview
from nodes.planning.outline import Part, Plan
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.state import State
from nodes.tools.toolbox import HELPERS, NO_TOOLS, Toolbox
from prompts import PROMPTS, block

PLAN = Stage("decompose", PROMPTS["decompose"].check({"limit", "parts", "segments"}, Plan), "decompose")


def messages(state: State, settings: Settings, tools: Toolbox = NO_TOOLS) -> list[BaseMessage]:
    """Ask for a plan, for helpers that have these tools; after one that a person rejected, for another."""
    parts = state.assessment.parts if state.assessment else []
    found = block("Parts found so far", "\n".join(map(_line, parts)))
    if state.note and state.plan:
        rejected = "\n".join(f"- {thread.subquestion}" for thread in state.plan.threads)
        found = block("A person rejected these parts", rejected) + block("Their words", state.note)
    return PLAN.prompt(settings).messages(
        segments=block(HELPERS, tools.purposes) + block("Segments", overview(state.segments())),
        parts=found,
        limit=str(settings.max_threads),
    )


def _line(part: Part) -> str:
    numbers = " ".join(map(str, part.sources))
    return f"- {numbers}: {part.question}" if numbers else f"- {part.question}"

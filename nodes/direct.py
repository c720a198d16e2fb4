"""Direct: the whole question in one call, for what has no parts, and when no thread could answer."""

from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.runtime import Runtime

from nodes.boundary.progress import tell_stage
from nodes.conclude import conclude, conclude_failed
from nodes.input.excerpts import whole
from nodes.llm.caller import Caller
from nodes.llm.limits.budget import budget, exhausted
from nodes.llm.limits.ledger import spending
from nodes.llm.replies.errors import HOPELESS, ModelError
from nodes.settings import Settings, settings_of
from nodes.state import State
from prompts import PROMPTS, block

VERSIONS = PROMPTS["direct"].checked({"instructions", "material", "question"})


async def direct(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Answer in one call."""
    settings, spent = settings_of(runtime), spending(state.calls)
    if state.plan and (why := exhausted(settings, state.run, spent)):
        return conclude_failed(state, settings, [*state.problems, f"no thread could answer, and {why}"])
    asked = [call for call in state.calls if call.role == "solve"]
    if asked and not settings.fallback_model and all(call.status in HOPELESS for call in asked):
        return conclude_failed(state, settings, state.problems)
    if state.dead_model == settings.model_for("solve"):
        return conclude_failed(state, settings, state.problems)
    passed_over = state.forecast if not state.parallel else None
    tell_stage(runtime, "direct", state.round, why=str(passed_over or ""))
    within = budget(settings, state.run, "direct", spent)
    label = VERSIONS.chosen(settings.prompts).label
    caller = Caller(settings, "solve", run=state.run, prompt=label, budget=within)
    try:
        reply = await caller.text(messages(state, settings))
    except ModelError as error:
        if error.reply is None:
            return conclude_failed(state, settings, [*state.problems, f"direct: {error}"], caller.calls)
        reply = error.reply
    return conclude(state, settings, answer=reply.text, calls=caller.calls, shortfall=reply.shortfall)


def messages(state: State, settings: Settings) -> list[BaseMessage]:
    """Ask the whole question, with all its documents."""
    documents = [segment for segment in state.segments() if segment.kind == "document"]
    return VERSIONS.chosen(settings.prompts).messages(
        instructions=block("Instructions", state.instructions),
        material=block("Material", whole(documents)),
        question=state.question,
    )

"""Direct: the whole question in one call, for what has no parts, and when no thread could answer."""

from typing import Any

from langgraph.runtime import Runtime

from nodes.asking import ahead
from nodes.asking.direct import DIRECT, messages
from nodes.boundary.progress import tell_stage
from nodes.conclude import conclude, conclude_failed
from nodes.llm import flights
from nodes.llm.limits.budget import find_exhaustion
from nodes.llm.limits.ledger import spending
from nodes.llm.replies.errors import HOPELESS, ModelError
from nodes.settings import Settings, settings_of
from nodes.state import State


async def direct(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Answer in one call."""
    settings, spent = settings_of(runtime), spending(state.calls)
    if state.plan and (why := find_exhaustion(settings, state.run, spent)):
        return conclude_failed(state, settings, [*state.problems, f"no thread could answer, and {why}"])
    asked = [call for call in state.calls if call.role == "solve"]
    if asked and not settings.fallback_model and all(call.status in HOPELESS for call in asked):
        return conclude_failed(state, settings, state.problems)
    if state.dead_model == settings.model_for("solve"):
        return conclude_failed(state, settings, state.problems)
    passed_over = state.forecast if not state.parallel else None
    tell_stage(runtime, "direct", state.round, why=str(passed_over or ""))
    begun = flights.take(state.run.id, ahead.DIRECT)
    caller = begun.caller if begun else DIRECT.caller(settings, state.run, state.calls)
    try:
        reply = await (begun.land() if begun else caller.text(messages(state, settings)))
    except ModelError as error:
        if not (error.reply and error.reply.text):
            return conclude_failed(state, settings, [*state.problems, f"direct: {error}"], caller.calls)
        reply = error.reply
    return conclude(state, settings, answer=reply.text, calls=caller.calls, shortfall=reply.shortfall)

"""Baseline: the whole question once more in one call, after the answer, to compare the two (setting `baseline`)."""

from typing import Any

from langgraph.runtime import Runtime

from nodes.asking.direct import DIRECT, messages
from nodes.boundary.progress import tell_stage
from nodes.llm.replies.errors import ModelError
from nodes.reporting.comparison import with_baseline
from nodes.settings import Settings, settings_of
from nodes.state import State


async def baseline(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Ask as the `sequential` graph does, and put what it took beside what the run took."""
    settings, began = settings_of(runtime), state.run.elapsed()
    tell_stage(runtime, "baseline")
    caller = DIRECT.caller(settings, state.run, state.calls)
    answer, error = "", ""
    try:
        reply = await caller.text(messages(state, settings))
        answer, error = reply.text, reply.shortfall
    except ModelError as failure:
        answer, error = failure.reply.text if failure.reply else "", str(failure)
    took = state.run.elapsed() - began
    return {"report": with_baseline(state.report, answer=answer, error=error, wall_s=took, calls=caller.calls)}

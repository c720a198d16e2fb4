"""Baseline: the whole question once more in one call, after the answer, to compare the two (setting `baseline`)."""

from typing import Any

from langgraph.runtime import Runtime

from nodes.asking.direct import DIRECT, messages
from nodes.boundary.progress import tell_stage
from nodes.llm.endpoints.usage import total_usage
from nodes.llm.replies.errors import ModelError
from nodes.reporting.report import Baseline
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
    wall, report = state.run.elapsed() - began, state.report
    tokens = total_usage(caller.calls)
    measured = Baseline(
        answer=answer,
        error=error,
        wall_s=round(wall, 3),
        calls=len(caller.calls),
        tokens=tokens,
        wall_ratio=_ratio(wall, report.wall_s),
        token_latency=_ratio(tokens.output, report.critical_path_tokens),
        token_multiplier=_ratio(report.tokens.total, tokens.total),
    )
    # A failed call is no measure of how long an answer takes.
    unknown = {"wall_ratio": None, "token_latency": None, "token_multiplier": None} if error else {}
    return {"report": report.model_copy(update={"baseline": measured.model_copy(update=unknown)})}


def _ratio(above: float, below: float) -> float | None:
    return round(above / below, 3) if above and below else None

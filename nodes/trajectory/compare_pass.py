"""Compare pass: one sequential pass after the answer, to compare the two (setting `baseline`)."""

from typing import Any

from langgraph.runtime import Runtime

from nodes.boundary.progress import tell_stage
from nodes.llm.replies.errors import ModelError
from nodes.native.asking import prepare_sequel
from nodes.native.grammar import GRAMMARS
from nodes.native.metrics import with_acceleration
from nodes.native.state import NativeState
from nodes.native.trajectory import count_tokens, find_answer
from nodes.reporting.comparison import with_baseline
from nodes.settings import Settings, settings_of


async def compare_pass(state: NativeState, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Let the same model answer in one pass, and put what it took beside what the run took."""
    settings, began = settings_of(runtime), state.run.elapsed()
    tell_stage(runtime, "baseline")
    caller = prepare_sequel(settings, state.run, state.calls, share="direct", round=0)
    answer, error = "", ""
    try:
        reply = await caller.continue_text(state.prompt, read=count_tokens([], state.prompt))
        answer = find_answer(GRAMMARS[settings.grammar], state.prompt, reply.text)
        error = reply.shortfall or ("" if answer else "it ended without an answer")
    except ModelError as failure:
        error = str(failure)
    took = state.run.elapsed() - began
    report = with_baseline(state.report, answer=answer, error=error, wall_s=took, calls=caller.calls)
    return {"report": with_acceleration(report)}

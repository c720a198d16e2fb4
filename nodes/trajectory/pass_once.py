"""Pass once: one sequential pass from the question on, where the trajectory led to no answer."""

from typing import Any

from langgraph.runtime import Runtime

from nodes.boundary.progress import tell_stage
from nodes.conclude import conclude, conclude_failed
from nodes.llm.replies.errors import ModelError
from nodes.native.asking import prepare_sequel
from nodes.native.grammar import GRAMMARS
from nodes.native.metrics import with_acceleration
from nodes.native.state import NativeState
from nodes.native.trajectory import count_tokens, find_answer
from nodes.settings import Settings, settings_of


async def pass_once(state: NativeState, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Answer without threads: the model is not stopped at its outlines, and writes all of it by itself."""
    settings = settings_of(runtime)
    tell_stage(runtime, "pass", state.blocks, why=state.problems[-1] if state.problems else "")
    caller = prepare_sequel(settings, state.run, state.calls, share="direct", round=state.blocks)
    try:
        reply = await caller.continue_text(state.prompt, read=count_tokens([], state.prompt))
    except ModelError as error:
        return conclude_failed(state, settings, [*state.problems, f"sequential pass: {error}"], caller.calls)
    answer = find_answer(GRAMMARS[settings.grammar], state.prompt, reply.text)
    if not answer:
        why = reply.shortfall or "it ended without an answer"
        return conclude_failed(state, settings, [*state.problems, f"sequential pass: {why}"], caller.calls)
    update = conclude(state, settings, answer=answer, calls=caller.calls, shortfall=reply.shortfall)
    return update | {"report": with_acceleration(update["report"])}

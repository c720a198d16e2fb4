"""Continue trajectory: let the model write on until it opens threads, or ends with its answer."""

from collections.abc import Sequence
from typing import Any

from langgraph.runtime import Runtime

from nodes.boundary.progress import tell_stage
from nodes.conclude import conclude, conclude_failed
from nodes.llm.endpoints.usage import Call
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.reply import Reply
from nodes.native.asking import prepare_sequel
from nodes.native.grammar import GRAMMARS, close_outlines, read_outlines
from nodes.native.metrics import with_acceleration
from nodes.native.state import NativeState, open_block
from nodes.native.trajectory import count_tokens, find_answer
from nodes.settings import Settings, settings_of


async def continue_trajectory(state: NativeState, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Go on with all that is written; open a block, conclude, or give the trajectory up."""
    settings, grammar = settings_of(runtime), GRAMMARS[settings_of(runtime).grammar]
    tell_stage(runtime, "continue", state.blocks)
    text = state.prompt + state.trajectory
    stop = [grammar.outlines_end] if state.blocks < settings.max_blocks else []
    caller = prepare_sequel(settings, state.run, state.calls, share="solve", round=state.blocks)
    try:
        reply = await caller.continue_text(text, stop=stop, read=count_tokens(state.calls, text))
    except ModelError as error:
        if error.hopeless:
            return conclude_failed(state, settings, [*state.problems, f"trajectory: {error}"], caller.calls)
        said = error.reply.text if error.reply else ""
        return _give_up(state, state.trajectory + said, str(error), caller.calls)
    closed = close_outlines(grammar, reply.text, reply.matched) if stop and reply.state != "cut" else None
    if closed is None:
        return _end(state, settings, reply, caller.calls)
    opened = open_block(state, settings, read_outlines(grammar, closed))
    return opened | {"trajectory": state.trajectory + closed, "calls": caller.calls}


def _end(state: NativeState, settings: Settings, reply: Reply, calls: Sequence[Call]) -> dict[str, Any]:
    """Conclude with the answer; without one, the trajectory has led nowhere."""
    written = state.trajectory + reply.text
    answer = find_answer(GRAMMARS[settings.grammar], state.prompt, written)
    if not answer:
        return _give_up(state, written, reply.shortfall or "it ended without an answer", calls)
    update = conclude(state, settings, answer=answer, calls=calls, shortfall=reply.shortfall)
    return update | {"trajectory": written, "opened": [], "report": with_acceleration(update["report"])}


def _give_up(state: NativeState, written: str, why: str, calls: Sequence[Call]) -> dict[str, Any]:
    problem = f"the trajectory was given up, and one sequential pass answers: {why}"
    return {
        "trajectory": written,
        "opened": [],
        "abandoned": True,
        "problems": [*state.problems, problem],
        "calls": list(calls),
    }

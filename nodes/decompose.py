"""Decompose: turn the outline into threads, in plain code; a model is asked only where the outline does not suffice."""

import asyncio
from typing import Any

from langgraph.runtime import Runtime

from nodes.asking.ahead import keep_threads
from nodes.asking.plan import PLAN, messages
from nodes.boundary.progress import tell_stage
from nodes.llm.replies.errors import ModelError
from nodes.planning.needs import widest
from nodes.planning.outline import Plan, ReadParts, read_parts
from nodes.planning.plan import Planned, is_undecided, make_plan, read_everything
from nodes.settings import Settings, settings_of
from nodes.stage import stage_failed
from nodes.state import Assessment, State
from nodes.tools.toolbox import find_toolbox


async def decompose(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Make threads of the parts that stand in the outline."""
    settings, segments = settings_of(runtime), state.segments()
    outline = state.assessment or Assessment()
    tell_stage(runtime, "decompose")
    read, calls = ReadParts(outline.parts, list(state.repairs)), []
    # Long documents are searched in a thread of its own.
    if await asyncio.to_thread(_needs_model, state, settings):
        caller = PLAN.caller(settings, state.run, state.calls)
        try:
            written = await caller.structured(messages(state, settings, await find_toolbox(settings)), Plan)
        except ModelError as error:
            if state.note or len(widest(outline.parts)) < 2:
                return stage_failed("decompose", caller, error)
        else:
            read = read_parts(written.parts, segments)
        calls = caller.calls
    limits = {"max_threads": settings.max_threads, "max_parallel": settings.max_parallel}
    made: Planned = await asyncio.to_thread(make_plan, read.parts, outline.answer, segments, **limits)
    plan = made.plan if settings.scoped else read_everything(made.plan, segments)
    redo = [thread.id for thread in plan.threads]
    planned = state.model_copy(update={"plan": plan, "redo": redo})
    vain = await keep_threads(planned, settings)
    return {
        "note": "",
        "plan": plan,
        "repairs": [*read.repairs, *made.repairs],
        "redo": redo,
        "calls": [*calls, *vain],
    }


def _needs_model(state: State, settings: Settings) -> bool:
    """Tell whether the outline does not suffice.

    A person rejected the plan, or a split is wanted where the outline has no parts, or the parts do not say which of
    many documents they need.
    """
    parts = state.assessment.parts if state.assessment else []
    if state.note or len(widest(parts)) < 2:
        return True
    return settings.scoped and is_undecided(parts, state.segments())

"""Decompose: turn the outline into threads, in plain code; a model is asked only where the outline does not suffice."""

import asyncio
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.runtime import Runtime

from nodes.boundary.progress import tell_stage
from nodes.conclude import stage_failed
from nodes.input.excerpts import overview
from nodes.llm.caller import Caller
from nodes.llm.limits.budget import budget
from nodes.llm.limits.ledger import spending
from nodes.llm.replies.errors import ModelError
from nodes.planning.outline import Part, Plan, ReadParts, independent, read_parts
from nodes.planning.plan import Planned, make_plan, reading_everything, undecided
from nodes.settings import Settings, settings_of
from nodes.state import Assessment, State
from prompts import PROMPTS, block

VERSIONS = PROMPTS["decompose"].checked({"limit", "parts", "segments"}, Plan)


async def decompose(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Make threads of the parts that stand in the outline."""
    settings, segments = settings_of(runtime), state.segments()
    outline = state.assessment or Assessment()
    tell_stage(runtime, "decompose")
    read, calls = ReadParts(outline.parts, list(state.repairs)), []
    # Long documents are searched in a thread of its own.
    if await asyncio.to_thread(_needs_model, state, settings):
        caller = _caller(state, settings)
        try:
            written = await caller.structured(messages(state, settings), Plan)
        except ModelError as error:
            if state.note or len(independent(outline.parts)) < 2:
                return stage_failed("decompose", caller, error)
        else:
            read = read_parts(written.parts, segments)
        calls = caller.calls
    limits = {"max_threads": settings.max_threads, "max_parallel": settings.max_parallel}
    made: Planned = await asyncio.to_thread(make_plan, read.parts, outline.answer, segments, **limits)
    plan = made.plan if settings.scoped else reading_everything(made.plan, segments)
    return {
        "note": "",
        "plan": plan,
        "repairs": [*read.repairs, *made.repairs],
        "redo": [thread.id for thread in plan.threads],
        "calls": calls,
    }


def _needs_model(state: State, settings: Settings) -> bool:
    """Tell whether the outline does not suffice.

    A person rejected the plan, or a split is wanted where the outline has no parts, or the parts do not say which of
    many documents they need.
    """
    parts = state.assessment.parts if state.assessment else []
    if state.note or len(independent(parts)) < 2:
        return True
    return settings.scoped and undecided(parts, state.segments())


def _caller(state: State, settings: Settings) -> Caller:
    return Caller(
        settings,
        "decompose",
        run=state.run,
        prompt=VERSIONS.chosen(settings.prompts).label,
        budget=budget(settings, state.run, "decompose", spending(state.calls)),
    )


def messages(state: State, settings: Settings) -> list[BaseMessage]:
    """Ask for a plan; after one that a person rejected, for another."""
    parts = state.assessment.parts if state.assessment else []
    found = block("Parts found so far", "\n".join(map(_line, parts)))
    if state.note and state.plan:
        rejected = "\n".join(f"- {thread.subquestion}" for thread in state.plan.threads)
        found = block("A person rejected these parts", rejected) + block("Their words", state.note)
    return VERSIONS.chosen(settings.prompts).messages(
        segments=block("Segments", overview(state.segments())), parts=found, limit=str(settings.max_threads)
    )


def _line(part: Part) -> str:
    numbers = " ".join(map(str, part.sources))
    return f"- {numbers}: {part.question}" if numbers else f"- {part.question}"

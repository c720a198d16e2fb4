"""Decompose: plan the threads over the numbered input."""

import asyncio
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.runtime import Runtime

from nodes.conclude import stage_failed
from nodes.llm.budget import budget
from nodes.llm.caller import Caller
from nodes.llm.errors import ModelError
from nodes.llm.ledger import spending
from nodes.materials import overview
from nodes.parts import parts_found
from nodes.plan import Plan, reading_everything, repair
from nodes.progress import tell_stage
from nodes.settings import Settings, settings_of
from nodes.state import State
from prompts import PROMPTS, block

VERSIONS = PROMPTS["decompose"].checked({"limit", "parts", "segments"}, Plan)


async def decompose(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Ask the model for a plan and make it one that can be run."""
    settings, segments = settings_of(runtime), state.segments()
    tell_stage(runtime, "decompose")
    within = budget(settings, state.run, "decompose", spending(state.calls))
    prompt = VERSIONS.chosen(settings.prompts)
    caller = Caller(settings, "decompose", run=state.run, prompt=prompt.label, budget=within)
    try:
        # Long documents are searched, here and in `repair`, in a thread of its own.
        asked = await asyncio.to_thread(messages, state, settings)
        written = await caller.structured(asked, Plan)
    except ModelError as error:
        return stage_failed("decompose", caller, error)
    limits = {"max_threads": settings.max_threads, "max_parallel": settings.max_parallel}
    plan, repairs = await asyncio.to_thread(repair, written, segments, **limits)
    if not settings.scoped:
        plan = reading_everything(plan, segments)
    return {
        "note": "",
        "plan": plan,
        "repairs": repairs,
        "redo": [thread.id for thread in plan.threads],
        "calls": caller.calls,
    }


def messages(state: State, settings: Settings) -> list[BaseMessage]:
    """Ask for a plan; after one that a person rejected, for another."""
    segments = state.segments()
    found = parts_found(state.assessment.subquestions if state.assessment else [], segments)
    if state.note and state.plan:
        rejected = "\n".join(f"- {thread.subquestion}" for thread in state.plan.threads)
        found += block("A person rejected these threads", rejected) + block("Their words", state.note)
    return VERSIONS.chosen(settings.prompts).messages(
        segments=block("Segments", overview(segments)), parts=found, limit=str(settings.max_threads)
    )

"""Refine: split threads whose context was too much for the model into smaller ones, before they run again."""

import asyncio
from typing import Any, NamedTuple

from langgraph.runtime import Runtime

from nodes.asking.split import SPLIT, messages
from nodes.boundary.progress import tell_split, tell_stage
from nodes.input.pieces import Piece, as_segments
from nodes.input.segments import Segment
from nodes.llm.caller import Caller
from nodes.llm.replies.errors import ModelError
from nodes.planning.finer import cut_sources, in_place, longest_material, split_finer
from nodes.planning.outline import Plan, read_parts
from nodes.planning.plan import ThreadSpec
from nodes.settings import Settings, settings_of
from nodes.state import State


class Large(NamedTuple):
    """A thread that is to be split."""

    spec: ThreadSpec
    """It reads pieces where a segment was too long."""
    segments: list[Segment]
    """What it reads."""
    longest: int
    """Most characters that one of the smaller threads may read."""


async def refine(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Ask the model how to split each of them, side by side; where it has no sound plan, split by size."""
    settings = settings_of(runtime)
    assert state.plan is not None  # the review sends only threads of a plan
    tell_stage(runtime, "refine", state.round)
    pieces, large = list(state.pieces), []
    for spec in state.plan.threads:
        if spec.id in state.split:
            thread, cut = _cut(state, settings, spec, pieces)
            pieces += cut
            large.append(thread)
    callers = [
        SPLIT.caller(settings, state.run, state.calls, thread=thread.spec, round=state.round) for thread in large
    ]
    limit = 1 + (settings.max_threads - len(state.plan.threads)) // len(large)
    plans = await asyncio.gather(
        *(_ask(state, settings, caller, thread, limit) for caller, thread in zip(callers, large, strict=True))
    )
    plan, redo, critiques, refined = state.plan, list(state.redo), dict(state.critiques), dict(state.refined)
    for written, (spec, segments, longest) in zip(plans, large, strict=True):
        parts = read_parts(written.parts, segments).parts if written else []
        smaller = split_finer(parts, spec, segments, longest=longest, limit=limit)
        ids = refined[spec.id] = [thread.id for thread in smaller]
        if ids:
            plan = in_place(plan, spec.id, smaller)
            redo = [new for id in redo for new in (ids if id == spec.id else [id])]
            critiques |= dict.fromkeys(ids, critiques.pop(spec.id, ""))
            tell_split(runtime, state, spec, len(plan.threads))
    return {
        "plan": plan,
        "redo": redo,
        "critiques": critiques,
        "pieces": pieces,
        "refined": refined,
        "split": [],
        "calls": [call for caller in callers for call in caller.calls],
    }


def _cut(state: State, settings: Settings, spec: ThreadSpec, pieces: list[Piece]) -> tuple[Large, list[Piece]]:
    segments = state.model_copy(update={"pieces": pieces}).segments()
    own = [segment for segment in segments if segment.number in spec.sources]
    window = next((call.window for call in reversed(state.calls) if call.thread_id == spec.id), None)
    total = sum(len(segment.text) for segment in own)
    longest = longest_material(state.results[spec.id], total, window, settings.window_share)
    spec, cut = cut_sources(spec, segments, longest)
    read = [segment for segment in [*own, *as_segments(cut, own)] if segment.number in spec.sources]
    return Large(spec, read, longest), cut


async def _ask(state: State, settings: Settings, caller: Caller, thread: Large, limit: int) -> Plan | None:
    marks = state.results[thread.spec.id].marks
    asked = messages(settings, thread.spec, thread.segments, marks, limit)
    try:
        return await caller.structured(asked, Plan)
    except ModelError:
        return None

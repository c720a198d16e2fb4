"""Refine: put threads in the place of those that handed parts on, or whose context was too much for the model."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from langgraph.runtime import Runtime

from nodes.asking.split import SPLIT, messages
from nodes.boundary.progress import tell_split, tell_stage
from nodes.input.pieces import Piece, as_segments
from nodes.input.segments import Segment
from nodes.llm.caller import Caller
from nodes.llm.endpoints.usage import Call
from nodes.llm.replies.errors import ModelError
from nodes.planning.finer import cut_sources, in_place, longest_material, split_finer
from nodes.planning.outline import Plan, read_parts
from nodes.planning.plan import ThreadSpec
from nodes.planning.spawn import make_children
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
    """Make a thread of each part that was handed on; ask the model how to split what was too large, side by side."""
    settings = settings_of(runtime)
    assert state.plan is not None  # the review sends only threads of a plan
    tell_stage(runtime, "refine", state.round)
    replaced = [spec for spec in state.plan.threads if spec.id in state.split]
    limit = 1 + (settings.max_threads - len(state.plan.threads)) // max(1, len(replaced))
    handed_on = {spec.id: make_children(spec, parts, limit) for spec in replaced if (parts := _parts_of(state, spec))}
    smaller, pieces, calls = await _split(state, settings, [one for one in replaced if one.id not in handed_on], limit)
    smaller |= handed_on
    plan, redo, critiques, refined = state.plan, list(state.redo), dict(state.critiques), dict(state.refined)
    for spec in replaced:
        ids = refined[spec.id] = [thread.id for thread in smaller[spec.id]]
        if ids:
            plan = in_place(plan, spec.id, smaller[spec.id])
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
        "calls": calls,
    }


def _parts_of(state: State, spec: ThreadSpec) -> list[str]:
    return state.results[spec.id].parts if spec.id in state.results else []


async def _split(
    state: State, settings: Settings, specs: Sequence[ThreadSpec], limit: int
) -> tuple[dict[str, list[ThreadSpec]], list[Piece], list[Call]]:
    """Split each of the threads as the model plans it, by size where it has no sound plan.

    Returns:
        Their smaller threads by id, none where there is nothing to split; all pieces of segments, and the requests.
    """
    pieces, large = list(state.pieces), []
    for spec in specs:
        thread, cut = _cut(state, settings, spec, pieces)
        pieces += cut
        large.append(thread)
    callers = [
        SPLIT.caller(settings, state.run, state.calls, thread=thread.spec, round=state.round) for thread in large
    ]
    plans = await asyncio.gather(
        *(_ask(state, settings, caller, thread, limit) for caller, thread in zip(callers, large, strict=True))
    )
    smaller = {}
    for written, (spec, segments, longest) in zip(plans, large, strict=True):
        parts = read_parts(written.parts, segments).parts if written else []
        smaller[spec.id] = split_finer(parts, spec, segments, longest=longest, limit=limit)
    return smaller, pieces, [call for caller in callers for call in caller.calls]


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

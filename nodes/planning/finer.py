"""Splitting a thread again: which ones, over which pieces, and into what (pure)."""

import math
from collections.abc import Collection, Mapping, Sequence

from nodes.input.pieces import Piece, cut_up
from nodes.input.segments import Segment
from nodes.planning.outline import Part
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.threads.results import ThreadResult

MAX_MATERIAL_SHARE = 0.5
"""Share of what a thread may use that its material may fill; rules, examples and its own words need the rest."""
MIN_CHARACTERS_A_TOKEN = 3
"""Fewer than English text has, as code, numbers and other scripts have fewer."""


def to_split(
    threads: Sequence[ThreadResult], plan: ThreadPlan | None, refined: Collection[str], *, max_threads: int
) -> list[ThreadResult]:
    """List the marked threads that are split in the next round: each once, while the plan has room for more."""
    room = max_threads - len(plan.threads) if plan else 0
    return [thread for thread in threads if thread.marks and thread.id not in refined][: max(0, room)]


def longest_material(result: ThreadResult, total: int, window: int | None, window_share: float) -> int:
    """Return how many characters of material one smaller thread may read.

    Args:
        result: What the thread came to.
        total: Characters of all its material.
        window: The model's context window in tokens, where it is known.
        window_share: The share of the window that a thread may use.
    """
    if window:
        return max(1, int(window * window_share * MAX_MATERIAL_SHARE * MIN_CHARACTERS_A_TOKEN))
    return math.ceil(total / 2) if {"too_long", "crowded"} & set(result.marks) else max(1, total)


def cut_sources(spec: ThreadSpec, segments: Sequence[Segment], longest: int) -> tuple[ThreadSpec, list[Piece]]:
    """Put pieces in the place of those segments of a thread that are too long for one.

    Args:
        spec: The thread.
        segments: The numbered input.
        longest: Most characters of a piece.

    Returns:
        The thread with its new numbers, and the pieces.
    """
    own = [segment for segment in segments if segment.number in spec.sources]
    pieces = cut_up(own, longest, after=max((segment.number for segment in segments), default=0))
    replaced = {piece.of for piece in pieces}
    sources = [number for number in spec.sources if number not in replaced] + [piece.number for piece in pieces]
    return spec.model_copy(update={"sources": sources}), pieces


def split_finer(
    parts: Sequence[Part], spec: ThreadSpec, segments: Sequence[Segment], *, longest: int, limit: int
) -> list[ThreadSpec]:
    """Return the smaller threads of a thread: as the model planned them, else one after another by size.

    Args:
        parts: As the model planned them; none where it gave no plan.
        spec: The thread.
        segments: What it reads.
        longest: Most characters that one of them may read.
        limit: Most of them.

    Returns:
        At least two threads, named `T3.1`, `T3.2`, …; none where there is nothing to split.
    """
    threads = _use_plan(parts, segments, longest, limit) or _by_size(spec, segments, longest, limit)
    return [thread.model_copy(update={"id": f"{spec.id}.{number}"}) for number, thread in enumerate(threads, 1)]


def _use_plan(parts: Sequence[Part], segments: Sequence[Segment], longest: int, limit: int) -> list[ThreadSpec]:
    """Return the model's threads if nothing is left unread, each can be read, and none needs another's result."""
    named = {number for part in parts for number in part.sources}
    # What was asked is for every thread, unless one names it; a document that none names would be lost.
    common = [item.number for item in segments if item.number not in named and item.kind == "question"]
    unread = [item for item in segments if item.number not in named and item.kind != "question"]
    sizes = {item.number: len(item.text) for item in segments}
    threads = [ThreadSpec(id="", sources=sorted({*common, *part.sources}), subquestion=part.question) for part in parts]
    fits = all(sum(sizes[number] for number in thread.sources) <= longest for thread in threads)
    sound = 1 < len(threads) <= limit and not unread and not any(part.needs for part in parts)
    return threads if sound and fits else []


def _by_size(spec: ThreadSpec, segments: Sequence[Segment], longest: int, limit: int) -> list[ThreadSpec]:
    """Deal what is read out in order, as evenly as it goes; each thread asks the same of its own part."""
    total = sum(len(segment.text) for segment in segments)
    count = min(limit, len(segments), max(2, math.ceil(total / longest)))
    if count < 2:
        return []
    dealt: list[list[Segment]] = [[] for _ in range(count)]
    position = 0
    for index, segment in enumerate(segments):
        left = len(segments) - index
        part = min(count - 1, (position + len(segment.text) // 2) * count // max(1, total))
        # None stays empty, however uneven the segments are.
        part = max(part, count - left) if left <= count else part
        dealt[part].append(segment)
        position += len(segment.text)
    parts = [part for part in dealt if part]
    return [
        ThreadSpec(
            id=spec.id,
            sources=[segment.number for segment in part],
            # It stands in answers, so the number of the portion is told without words.
            subquestion=f"{spec.subquestion} ({number}/{len(parts)})",
            portion=f"{number}/{len(parts)}",
        )
        for number, part in enumerate(parts, 1)
    ]


def in_place(plan: ThreadPlan, id: str, threads: Sequence[ThreadSpec]) -> ThreadPlan:
    """Put smaller threads where one stood."""
    ids = [thread.id for thread in threads]
    specs = []
    for spec in plan.threads:
        if spec.id == id:
            specs += [thread.model_copy(update={"needs": spec.needs}) for thread in threads]
        else:
            needs = [new for need in spec.needs for new in (ids if need == id else [need])]
            specs.append(spec.model_copy(update={"needs": needs}))
    # Results of pieces are no entries of a list: the answer is written from them.
    return plan.model_copy(update={"threads": specs, "answer": "text"})


def without_vain_splits(
    plan: ThreadPlan, results: Mapping[str, ThreadResult], refined: Mapping[str, Sequence[str]]
) -> ThreadPlan:
    """Put an answered thread back where none of its smaller ones came to an answer."""
    for id, into in refined.items():
        came = [results[child] for child in into if child in results]
        vain = into and len(came) == len(into) and all(not child.answer for child in came)
        standing = {spec.id for spec in plan.threads}
        if vain and id in results and results[id].status == "answered" and standing.issuperset(into):
            result = results[id]
            whole = ThreadSpec(id=id, sources=[], subquestion=result.subquestion)
            kept = [
                spec.model_copy(update={"needs": [need for need in spec.needs if need not in into[1:]]})
                for spec in plan.threads
                if spec.id not in into[1:]
            ]
            plan = in_place(plan.model_copy(update={"threads": kept}), into[0], [whole])
    return plan

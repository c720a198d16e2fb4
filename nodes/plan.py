"""A plan over the numbered segments of the input: what the model writes, validated and repaired (all pure).

A thread names the segments it needs by number instead of repeating them: planning costs few tokens,
nothing is misquoted, and a thread sees its own segments and no others.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import ConfigDict, Field

from nodes.combining import combining
from nodes.record import Record
from nodes.retrieval import most_relevant
from nodes.segments import Segment, is_item


class ThreadSpec(Record):
    """One thread of a plan."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str = Field(description="T1, T2, …")
    sources: list[int] = Field(description="Numbers of the segments that this thread needs.")
    subquestion: str = Field(description="What this thread finds out, in words that stand alone.")


class Plan(Record):
    """How a question is split into threads that can run at the same time."""

    shared_context: str = Field(description="What every thread must know, in a sentence or two; may be empty.")
    parallelism: int = Field(description="How many threads should run at once.")
    threads: list[ThreadSpec]


class Repaired(NamedTuple):
    """A plan that can be run, and what was mended to make it so."""

    plan: Plan
    repairs: list[str]


_COMPLETED = ("shared context: ", "document ", "left to the review: ", "renumbered: ")
"""How repairs begin that complete a plan which could be run as it was written."""


def faults(repairs: Iterable[str]) -> list[str]:
    """List the repairs without which a plan could not have been run, or not as it was meant."""
    return [repair for repair in repairs if not repair.startswith(_COMPLETED)]


def repair(plan: Plan, segments: Sequence[Segment], *, max_threads: int, max_parallel: int) -> Repaired:
    """Make a plan that can be run out of what a model wrote; nothing that it asked for is lost.

    Args:
        plan: The plan as written.
        segments: The numbered input that it refers to.
        max_threads: Most threads; those beyond are folded into the last.
        max_parallel: Most threads at once.

    Returns:
        The plan, its threads named `T1`, `T2`, … in order, and a line for each thing that was mended.
        It may hold fewer than two threads: then there is nothing to run in parallel.
    """
    repairs: list[str] = []
    threads = _known_sources(plan.threads, {segment.number for segment in segments}, repairs)
    threads = _with_named_documents(threads, segments, repairs)
    threads = _with_what_they_are_about(threads, segments, repairs)
    threads = _without_blanks_and_duplicates(threads, repairs)
    threads = _folded(threads, max_threads, repairs)
    threads = _without_combining(threads, segments, repairs)
    threads = _renamed(threads, repairs)
    shared = _shared_context(plan.shared_context, threads, segments, repairs)
    degree = _degree(plan.parallelism, len(threads), max_parallel, repairs)
    return Repaired(Plan(shared_context=shared, parallelism=degree, threads=threads), repairs)


def reading_everything(plan: Plan, segments: Sequence[Segment]) -> Plan:
    """Let every thread of a plan read the whole input."""
    numbers = [segment.number for segment in segments]
    return plan.model_copy(
        update={"threads": [thread.model_copy(update={"sources": numbers}) for thread in plan.threads]}
    )


def _known_sources(threads: Sequence[ThreadSpec], known: set[int], repairs: list[str]) -> list[ThreadSpec]:
    mended = []
    for thread in threads:
        unknown = sorted(set(thread.sources) - known)
        if unknown:
            repairs.append(f"thread {thread.id}: dropped unknown segments {', '.join(map(str, unknown))}")
        sources = sorted(set(thread.sources) & known)
        if sources != [number for number in thread.sources if number in known]:
            repairs.append(f"thread {thread.id}: put its segments in order, each once")
        mended.append(thread.model_copy(update={"sources": sources}))
    return mended


def _with_named_documents(
    threads: Sequence[ThreadSpec], segments: Sequence[Segment], repairs: list[str]
) -> list[ThreadSpec]:
    """Give a thread the documents that no thread reads and that its subquestion names."""
    read = {number for thread in threads for number in thread.sources}
    unread = [segment for segment in segments if segment.kind == "document" and segment.number not in read]
    mended = []
    for thread in threads:
        named = [segment.number for segment in unread if _names(thread.subquestion, segment.label)]
        if named:
            repairs.append(f"thread {thread.id}: added segments {', '.join(map(str, named))}, which it names in words")
        mended.append(thread.model_copy(update={"sources": sorted({*thread.sources, *named})}))
    return mended


def _with_what_they_are_about(
    threads: Sequence[ThreadSpec], segments: Sequence[Segment], repairs: list[str]
) -> list[ThreadSpec]:
    """Give a thread the document and the item of a list that its subquestion is about, where the numbers are others.

    An item stands alone, so it takes the place of the one named; a document may be needed beside those named.
    """
    documents = [segment for segment in segments if segment.kind == "document"]
    items = [segment for segment in segments if is_item(segment)]
    mended = []
    for thread in threads:
        sources = set(thread.sources)
        document, item = (most_relevant(thread.subquestion, kind, thread.sources) for kind in (documents, items))
        if document is not None:
            sources.add(document)
            repairs.append(f"thread {thread.id}: added segment {document}, which its words are about")
        if item is not None:
            named = sources & {segment.number for segment in items}
            sources = sources - named | {item} if len(named) == 1 else sources | {item}
            repairs.append(f"thread {thread.id}: put in segment {item}, the item that its words are about")
        mended.append(thread.model_copy(update={"sources": sorted(sources)}))
    return mended


def _names(text: str, label: str) -> bool:
    """Tell whether a text names a document, by its label or the last part of its path; not by a letter or two."""
    name = re.split(r"[/\\]", label.strip())[-1]
    return len(name) > 2 and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _without_blanks_and_duplicates(threads: Sequence[ThreadSpec], repairs: list[str]) -> list[ThreadSpec]:
    kept: dict[tuple[str, tuple[int, ...]], ThreadSpec] = {}
    for thread in threads:
        key = (" ".join(thread.subquestion.casefold().split()), tuple(thread.sources))
        if not key[0]:
            repairs.append(f"thread {thread.id}: dropped, it asks nothing")
        elif key in kept:
            repairs.append(f"thread {thread.id}: merged with its duplicate {kept[key].id}")
        else:
            kept[key] = thread
    return list(kept.values())


def _without_combining(threads: list[ThreadSpec], segments: Sequence[Segment], repairs: list[str]) -> list[ThreadSpec]:
    left = combining(threads, segments)
    repairs += [f"left to the review: thread {threads[place].id}, which only combines the others" for place in left]
    return [thread for place, thread in enumerate(threads) if place not in left]


def _folded(threads: list[ThreadSpec], most: int, repairs: list[str]) -> list[ThreadSpec]:
    if len(threads) <= most:
        return threads
    *kept, last = threads[:most]
    beyond = threads[most:]
    repairs.append(f"folded {len(beyond)} threads beyond the limit of {most} into the last")
    folded = ThreadSpec(
        id=last.id,
        sources=sorted({number for thread in [last, *beyond] for number in thread.sources}),
        subquestion="\n".join(thread.subquestion for thread in [last, *beyond]),
    )
    return [*kept, folded]


def _renamed(threads: Sequence[ThreadSpec], repairs: list[str]) -> list[ThreadSpec]:
    spread = Counter(thread.id for thread in threads)
    renamed = []
    for number, thread in enumerate(threads, 1):
        if thread.id != f"T{number}":
            # A name that served until another thread went is no fault of the plan.
            served = spread[thread.id] == 1 and re.fullmatch(r"T[1-9]\d*", thread.id)
            repairs.append(f"{'renumbered: ' if served else ''}thread {thread.id!r} is now T{number}")
        renamed.append(thread.model_copy(update={"id": f"T{number}"}))
    return renamed


def _shared_context(
    written: str, threads: Sequence[ThreadSpec], segments: Sequence[Segment], repairs: list[str]
) -> str:
    """Cut the question's segments that belong to some thread alone; add those that no thread names."""
    named = {number for thread in threads for number in thread.sources}
    common = [segment.text for segment in segments if segment.number not in named and segment.kind == "question"]
    shared = written.strip()
    for segment in segments:
        alone = segment.kind == "question" and segment.number in named and len(segment.text) > 12
        if alone and segment.text in shared and not any(segment.text in text for text in common):
            shared = "\n".join(part.strip() for part in shared.split(segment.text) if part.strip())
            repairs.append(f"shared context: cut segment {segment.number}, which threads name for themselves")
    for segment in segments:
        if segment.number in named:
            continue
        if segment.kind == "document":
            repairs.append(f"document {segment.number} ({segment.label}) is read by no thread")
        elif segment.text not in shared:
            shared = f"{shared}\n{segment.text}".strip()
            repairs.append(f"shared context: added segment {segment.number}, which no thread names")
    return shared


def _degree(suggested: int, threads: int, most: int, repairs: list[str]) -> int:
    if suggested > most:
        repairs.append(f"parallelism: {suggested} cut to the limit of {most}")
        return most
    degree = max(1, min(threads, most))
    if suggested < 1 or suggested == 1 < degree:
        repairs.append(f"parallelism: {suggested} raised to {degree}")
        return degree
    return suggested

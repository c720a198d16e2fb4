"""From parts to threads, in plain code: who reads what, and what holds for all (pure)."""

import math
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from pydantic import Field

from nodes.input.segments import Segment, has_question_mark
from nodes.planning.needs import list_joining
from nodes.planning.outline import AnswerForm, Part, independent, list_unnamed, with_numbers
from nodes.planning.repair import Repair
from nodes.planning.scope import closest
from nodes.shared.cleaning import fold, one_line
from nodes.shared.record import Record

MAX_LEANING_CHARACTERS = 40
"""Characters of an item of a list, up to which it may lean on the items before it: `Where does it hang?`"""
ALL_READ = 3
"""Documents that a thread is given together where nothing tells which of them it needs."""
SOON_READ_CHARACTERS = 6_000
"""Characters of so few documents up to which they are given together whatever their words tell: some 1,500 tokens."""


THREAD_NUMBER = r"\d{1,3}(?:\.\d{1,3})*"
"""Pattern of what stands behind the T of a thread's id."""


class ThreadSpec(Record):
    """One thread of a plan."""

    id: str
    """T1, T2, … by position; `T3.1`, … where a thread was split again."""
    sources: list[int] = Field(default_factory=list)
    """Numbers of the segments that it reads."""
    subquestion: str
    """What it finds out, in words that stand alone; where parts share the thread, all of theirs."""
    portion: str = ""
    """Which of its material's portions it reads, such as `2/3`, where it was split from another by size."""
    needs: list[str] = Field(default_factory=list)
    """Ids of the threads whose results it is given: it starts when they are there."""
    parts: list[Part] = Field(default_factory=list)
    """The parts that it works on, each with a result of its own: one, unless more parts than threads were found; none
    where a person added it, or it was split from another."""


class ThreadPlan(Record):
    """How a question is split into threads that run at the same time."""

    shared_context: str = ""
    """What every thread is told: the question's segments that no part names."""
    parallelism: int = 1
    """How many threads run at once."""
    threads: list[ThreadSpec] = Field(default_factory=list)
    answer: AnswerForm = "text"
    """Whether the results in turn are the answer."""
    open_parts: list[str] = Field(default_factory=list)
    """Parts that bring the results together: they are worked out where the answer is written."""


class Planned(NamedTuple):
    """A plan, and what was mended to make it."""

    plan: ThreadPlan
    repairs: list[Repair]


def make_plan(
    parts: Sequence[Part],
    answer: AnswerForm,
    segments: Sequence[Segment],
    *,
    max_threads: int,
    max_parallel: int,
) -> Planned:
    """Turn parts into threads; nothing that is asked gets lost.

    A part that needs others' results is a thread that waits for them. Where it brings all of them together, it is left
    to the join. Parts beyond `max_threads` share threads; then all parts that wait are left to the join. A part that
    names no document is given those that its words are about.

    Args:
        parts: The parts, in order.
        answer: What the results are to the answer, in the model's word.
        segments: The numbered input.
        max_threads: Most threads.
        max_parallel: Most threads at once.

    Returns:
        The plan; with fewer than two threads there is nothing to run in parallel.
    """
    repairs: list[Repair] = []
    waiting = list_joining(parts)
    if len(parts) - len(waiting) > max_threads:
        waiting = [part for part in parts if part.needs]
    for part in waiting:
        told = f"part {part.number} needs other results: left to the join"
        repairs.append(Repair(kind="left_to_join", part=part.number, text=told))
    own = [add_scope(part, segments, repairs) for part in parts if part not in waiting]
    threads = _deal(own, max_threads, repairs)
    common = list_unnamed(parts, segments)
    _tell_unread(threads, segments, repairs)
    plan = ThreadPlan(
        shared_context="\n".join(segment.text for segment in common),
        parallelism=max(1, min(len(threads), max_parallel)),
        threads=threads,
        answer=answer_form(answer, waiting, common),
        open_parts=_in_words(waiting, threads),
    )
    return Planned(plan, repairs)


def answer_form(said: AnswerForm, waiting: Sequence[Part], common: Sequence[Segment]) -> AnswerForm:
    """Tell whether the results are the answer: not where one is left to the join, nor where more is asked around them.

    Args:
        said: The model's word.
        waiting: Parts that are left to the join.
        common: The question's segments that no part names.
    """
    asked = any(has_question_mark(segment.text) for segment in common)
    return "text" if waiting or asked else said


def add_scope(part: Part, segments: Sequence[Segment], repairs: list[Repair]) -> Part:
    """Give a part the documents and the turn that it is about and does not name, and a short item those before it."""
    documents = [segment for segment in segments if segment.kind == "document"]
    numbers = {document.number for document in documents}
    named = [number for number in part.sources if number in numbers]
    few = len(documents) <= ALL_READ and not named and not part.needs
    # A question about each of a few short ones may share a word with one alone, and all of them are soon read.
    short = sum(len(document.text) for document in documents) <= SOON_READ_CHARACTERS
    added = closest(part.question, documents, named) if len(documents) > 1 and not (few and short) else []
    if few and not added:
        added = sorted(numbers)
    added += _list_leaned_on(part, segments) + _list_spoken_of(part, segments)
    if not added:
        return part
    if len(documents) > 1 or not set(added) <= numbers:
        told = ", ".join(map(str, sorted(added)))
        repairs.append(
            Repair(kind="scope", part=part.number, segments=sorted(added), text=f"part {part.number}: added {told}")
        )
    return part.model_copy(update={"sources": sorted({*part.sources, *added})})


def _list_leaned_on(part: Part, segments: Sequence[Segment]) -> list[int]:
    """List what a short item that a part names alone may speak of: the items before it, back to the first long one."""
    own = [segment for segment in segments if segment.number in part.sources and segment.kind == "question"]
    if len(own) != 1 or not own[0].marker or len(own[0].text) > MAX_LEANING_CHARACTERS:
        return []
    before = [segment for segment in segments if segment.marker and segment.number < own[0].number]
    leaning = takewhile(lambda segment: len(segment.text) <= MAX_LEANING_CHARACTERS, reversed(before))
    return [segment.number for segment in before[-1 - len(list(leaning)) :]]


def _list_spoken_of(part: Part, segments: Sequence[Segment]) -> list[int]:
    """List the latest turn for a part in the user's own words, which may speak of it; a model's stand alone."""
    turns = [segment.number for segment in segments if segment.kind == "turn"]
    if not turns or set(turns) & set(part.sources):
        return []
    asked = fold(" ".join(segment.text for segment in segments if segment.kind == "question"))
    return turns[-1:] if all(fold(line) in asked for line in part.question.splitlines()) else []


def is_undecided(parts: Sequence[Part], segments: Sequence[Segment]) -> bool:
    """Tell whether some part does not say which of many documents it needs, and plain code cannot tell."""
    documents = [segment for segment in segments if segment.kind == "document"]
    numbers = {document.number for document in documents}
    return len(documents) > ALL_READ and any(
        not numbers & set(part.sources) and not closest(part.question, documents) for part in independent(parts)
    )


def read_everything(plan: ThreadPlan, segments: Sequence[Segment]) -> ThreadPlan:
    """Let every thread of a plan read the whole input."""
    numbers = [segment.number for segment in segments]

    def whole(thread: ThreadSpec) -> ThreadSpec:
        parts = [part.model_copy(update={"sources": numbers}) for part in thread.parts]
        return thread.model_copy(update={"sources": numbers, "parts": parts})

    return plan.model_copy(update={"threads": [whole(thread) for thread in plan.threads]})


def _deal(parts: Sequence[Part], most: int, repairs: list[Repair]) -> list[ThreadSpec]:
    """Deal parts out in order, as evenly as it goes, to at most so many threads."""
    if len(parts) <= most:
        places = {part.number: place for place, part in enumerate(parts, 1)}
        return [_thread_of(part, places) for part in parts]
    repairs.append(Repair(kind="shared_thread", text=f"{len(parts)} parts share {most} threads (`max_threads`)"))
    edges = [math.ceil(place * len(parts) / most) for place in range(most + 1)]
    threads = []
    for place, (start, end) in enumerate(zip(edges, edges[1:], strict=False), 1):
        own = list(parts[start:end])
        threads.append(
            ThreadSpec(
                id=f"T{place}",
                sources=sorted({number for part in own for number in part.sources}),
                subquestion="\n".join(part.question for part in own),
                parts=own,
            )
        )
    return threads


def _thread_of(part: Part, places: Mapping[int, int]) -> ThreadSpec:
    """Make a part a thread; what it says of other parts names their threads, `#1` being the result of T1."""
    question = with_numbers(part.question, {need: places[need] for need in part.needs})
    needs = [f"T{places[need]}" for need in part.needs]
    own = part.model_copy(update={"question": question})
    return ThreadSpec(
        id=f"T{places[part.number]}", sources=part.sources, subquestion=question, needs=needs, parts=[own]
    )


def _tell_unread(threads: Sequence[ThreadSpec], segments: Sequence[Segment], repairs: list[Repair]) -> None:
    read = {number for thread in threads for number in thread.sources}
    for segment in segments:
        if segment.kind == "document" and segment.number not in read:
            told = f"document {segment.number} ({segment.label}) is read by no thread"
            repairs.append(Repair(kind="unread", segments=[segment.number], text=told))


def _in_words(waiting: Sequence[Part], threads: Sequence[ThreadSpec]) -> list[str]:
    """Say what waiting parts ask, `#1` for the result of T1; the numbers after the threads' are their own."""
    shown = {part.number: place for place, thread in enumerate(threads, 1) for part in thread.parts}
    shown |= {part.number: place for place, part in enumerate(waiting, len(threads) + 1)}
    referred_to = {need for part in waiting for need in part.needs}
    words = []
    for part in waiting:
        own = {need: shown[need] for need in part.needs if need in shown}
        label = f"#{shown[part.number]}: " if part.number in referred_to else ""
        words.append(label + one_line(with_numbers(part.question, own)))
    return words

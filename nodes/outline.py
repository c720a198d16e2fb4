"""The outline: what a model writes to plan, one short line a part, and how its lines are read (pure).

What the model was shown by number it names by number: it never writes out again what stands in the input. A part that
needs the result of another refers to it as `#1`, `#2`, … (the notation of QDMR: T. Wolfson et al., "Break It Down: A
Question Understanding Benchmark", TACL 8, 2020).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from nodes.llm.text import shorten
from nodes.record import Record
from nodes.repairs import Repair
from nodes.segments import Segment

AnswerForm = Literal["list", "text"]
"""Whether the results, part by part, are the answer as they stand, or the answer is written from them."""

# One class between two numbers: with repeats beside it, a run of blanks would cost quadratic time.
_NUMBERED = re.compile(r"\[?\d{1,6}\]?(?:[,;&+\s]+\[?\d{1,6}\]?)*")
_WITH_WORDS = re.compile(rf"({_NUMBERED.pattern})\s*[:：]\s*(\S.*)", re.DOTALL)
_REFERENCE = re.compile(r"#\s?[Tt]?(\d{1,3})")
MAX_SHOWN = 200
"""Characters of a line that a repair shows."""
LONGEST_WORD = 50
"""Characters after a reference in which its next word is looked for."""


class Outline(Record):
    """The parts of a request, and what their results are to the answer."""

    parts: list[str] = Field(description="One line a part; none where nothing can be worked on at the same time.")
    answer: AnswerForm = Field(description="Whether the results in turn are the answer, or it is written from them.")


class Plan(Record):
    """The parts, asked for again where an outline does not suffice: in the same lines."""

    parts: list[str] = Field(description="One line a part.")


class Part(Record):
    """One part of a request, as an outline's line gives it."""

    number: int
    """Its place among the parts, from 1; other parts refer to it as `#1`, and its thread is `T1`."""
    named: list[int] = Field(default_factory=list)
    """Numbers of the segments that the line names."""
    sources: list[int] = Field(default_factory=list)
    """Numbers of the segments that it reads: those named, and those that plain code added."""
    needs: list[int] = Field(default_factory=list)
    """Numbers of the earlier parts whose results it needs."""
    question: str
    """What is to be found out; the segments' own words where the line has none."""


class ReadParts(NamedTuple):
    """The parts that lines name, and what was mended to make them so."""

    parts: list[Part]
    repairs: list[Repair]


def read_parts(lines: Iterable[str], segments: Sequence[Segment]) -> ReadParts:
    """Read the lines of an outline.

    A number that names no segment is left out, a line that then asks nothing of its own too; every mend is told.

    Args:
        lines: As the model wrote them.
        segments: The numbered input that they refer to.
    """
    repairs: list[Repair] = []
    known = {segment.number: segment for segment in segments}
    drafts: list[tuple[list[int], str]] = []
    asking: dict[tuple[tuple[int, ...], str], int] = {}
    """What a part asks, for comparing, and its number."""
    renumbered: dict[int, int] = {}
    """A line's place as written, and the number of its part."""
    for place, line in enumerate(lines, 1):
        draft = _read_line(line, known, repairs)
        if draft is None:
            continue
        sources, question = draft
        number = asking.setdefault((tuple(sources), _bare(question)), len(drafts) + 1)
        renumbered[place] = number
        if number > len(drafts):
            drafts.append(draft)
        else:
            repairs.append(Repair(kind="merged", part=place, text=f"part {place} asks the same as part {number}"))
    asked = _folded(" ".join(segment.text for segment in segments if segment.kind == "question"))
    parts = [
        _part(number, sources, question, segments, renumbered, asked)
        for number, (sources, question) in enumerate(drafts, 1)
    ]
    return ReadParts(parts, repairs)


def independent(parts: Sequence[Part]) -> list[Part]:
    """List the parts that can run at the same time: those that need no other's result."""
    return [part for part in parts if not part.needs]


def unnamed(parts: Sequence[Part], segments: Sequence[Segment]) -> list[Segment]:
    """List the question's segments that no part names or says in its own words: what holds for every part."""
    named = {number for part in parts for number in part.sources}
    words = [bare for part in parts if (bare := _bare(part.question))]
    return [
        segment
        for segment in segments
        if segment.kind == "question" and segment.number not in named and not _said(segment.text, words)
    ]


def _read_line(line: str, known: dict[int, Segment], repairs: list[Repair]) -> tuple[list[int], str] | None:
    text = line.strip()
    if not text:
        return None
    worded = _WITH_WORDS.fullmatch(text)
    numbers, words = (worded[1], worded[2].strip()) if worded else (text, "")
    if not _NUMBERED.fullmatch(numbers):
        return [], text
    given = [int(number) for number in re.findall(r"\d+", numbers)]
    sources, unknown = [n for n in given if n in known], sorted({n for n in given if n not in known})
    if not unknown:
        return sorted(set(sources)), words
    if words:
        # `1984: what happened then?` names no segment: the words are its own.
        own = words if sources else text
        repairs.append(Repair(kind="unknown_segment", segments=unknown, text=f"there is no segment {unknown[0]}"))
        return sorted(set(sources)), own
    repairs.append(
        Repair(
            kind="dropped",
            segments=unknown,
            text=f"line `{shorten(text, MAX_SHOWN)}` left out: there is no segment {unknown[0]}",
        )
    )
    return None


def _part(
    number: int,
    sources: list[int],
    question: str,
    segments: Sequence[Segment],
    renumbered: dict[int, int],
    asked: str,
) -> Part:
    needs = {renumbered[number] for number in _references(question, asked) if number in renumbered}
    # Only earlier parts: a reference to itself or to a later one is a slip of the pen.
    earlier = sorted(need for need in needs if need < number)
    words = question or _asked_by(sources, segments)
    return Part(number=number, named=sources, sources=sources, needs=earlier, question=words)


def _references(question: str, asked: str) -> set[int]:
    """Number the parts that a question refers to.

    A `#1` of the user's own, as in `the #1 bestseller`, is none: it stands so, with its next word, in what was asked.
    """
    found = {(int(one[1]), one.group(), _word_after(question, one.end())) for one in _REFERENCE.finditer(question)}
    return {number for number, words, after in found if not after or _folded(f"{words} {after}") not in asked}


def _word_after(text: str, place: int) -> str:
    return "".join(text[place : place + LONGEST_WORD].split()[:1])


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _asked_by(sources: Sequence[int], segments: Sequence[Segment]) -> str:
    """Say what named segments ask: their own text; of a document, its name and what asks about it."""
    named = [segment for segment in segments if segment.number in sources]
    asking = [segment for segment in named if segment.kind == "question"]
    asking = asking or [segment for segment in segments if segment.kind == "question"]
    words = "\n".join(_without_marker(segment) for segment in asking)
    labels = ", ".join(segment.label for segment in named if segment.kind == "document")
    return f"{labels}: {words}" if labels else words


def _without_marker(segment: Segment) -> str:
    return segment.text.removeprefix(segment.marker).strip() if segment.marker else segment.text


def _bare(text: str) -> str:
    """Return only the letters and digits of a text, folded, for comparing."""
    return "".join(character for character in text.casefold() if character.isalnum())


MOST_UNSAID = 0.25
"""Share of a segment's letters and digits that may be left when the parts say the rest: an `and` between two."""


def _said(segment: str, words: Sequence[str]) -> bool:
    """Tell whether parts say a segment in their own words: taken together they quote nearly all of it."""
    left = whole = _bare(segment)
    for part in sorted(words, key=len, reverse=True):
        left = left.replace(part, "", 1)
    return len(left) <= MOST_UNSAID * len(whole) and len(left) < len(whole)

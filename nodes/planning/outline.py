"""The outline: what a model writes to plan, one short line a part, and how its lines are read (pure).

What the model was shown by number it names by number: it never writes out again what stands in the input. A part that
needs the result of another refers to it as `#1`, `#2`, … (the notation of QDMR: T. Wolfson et al., "Break It Down: A
Question Understanding Benchmark", TACL 8, 2020).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from nodes.input.segments import Segment
from nodes.llm.replies.text import shorten
from nodes.planning.repair import Repair
from nodes.shared.cleaning import fold
from nodes.shared.knobs.solvers import SolverName
from nodes.shared.record import Record

Difficulty = Literal["easy", "hard"]
AnswerForm = Literal["list", "text"]
"""Whether the results, part by part, are the answer as they stand, or the answer is written from them."""

# One class between two numbers: with repeats beside it, a run of blanks would cost quadratic time.
_NUMBERED = re.compile(r"\[?\d{1,6}\]?(?:[,;&+\s]+\[?\d{1,6}\]?)*")
_WITH_WORDS = re.compile(rf"({_NUMBERED.pattern})\s*[:：]\s*(\S.*)", re.DOTALL)
_REFERENCE = re.compile(r"#\s?[Tt]?(\d{1,3})")
MAX_UNSAID_SHARE = 0.25
"""Share of a segment's letters and digits that may be left when the parts say the rest: an `and` between two."""
MAX_REPAIR_CHARACTERS = 200
"""Characters of a line that a repair shows."""
MAX_WORD_CHARACTERS = 50
"""Characters beside a reference in which its next word is looked for."""
QUOTE_CONTEXT_CHARACTERS = 6
"""Letters and digits beside a `#1` that tell the user's own."""


class Outline(Record):
    """The parts of a request, and what their results are to the answer."""

    asks: str = Field(
        "",
        description="What kind of request it is: named things to compare, a list, a chain of steps, or a story.",
        json_schema_extra={"enum": ["compare", "list", "chain", "story"]},
    )
    """Helps a small model to tell a chain before it writes parts; nothing is read from it, so any word will do."""
    parts: list[str] = Field(
        description="One line a part; none where nothing can be worked on at the same time. `#1` in a line stands for "
        "the result of line 1, and the line waits for it: refer only to what is really needed."
    )
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
    """Numbers of the parts whose results it needs; no circle leads back to it."""
    question: str
    """What is to be found out; the segments' own words where the line has none."""
    as_asked: bool = False
    """Whether the line has no words, so that the user's own ask."""
    solver: SolverName = "chain"
    """How it is worked out, in the model's word, where the setting `solver` leaves that to it."""
    difficulty: Difficulty = "hard"
    """What it is, in the model's word, where the setting `easy_model` asks for one."""


class ReadParts(NamedTuple):
    """The parts that lines name, and what was mended to make them so."""

    parts: list[Part]
    repairs: list[Repair]


def read_parts(
    lines: Iterable[str],
    segments: Sequence[Segment],
    solvers: Sequence[SolverName] = (),
    difficulty: Sequence[Difficulty] = (),
) -> ReadParts:
    """Read the lines of an outline.

    A number that names no segment is left out, a line that then asks nothing of its own too; every mend is told.

    Args:
        lines: As the model wrote them.
        segments: The numbered input that they refer to.
        solvers: How the model wants each line to be worked out, where it was asked.
        difficulty: Which lines it calls easy, where it was asked.
    """
    repairs: list[Repair] = []
    known = {segment.number: segment for segment in segments}
    drafts: list[tuple[list[int], str]] = []
    asked: dict[tuple[tuple[int, ...], str], int] = {}
    """What tells that two parts ask the same, and the number of the first."""
    renumbered: dict[int, int] = {}
    """A line's place as written, and the number of its part."""
    words: dict[int, dict[str, str]] = {}
    """What the model said of each part beside its line."""
    for place, line in enumerate(_within(lines, known, repairs), 1):
        draft = _read_line(line, known, repairs)
        if draft is None:
            continue
        number = renumbered[place] = asked.setdefault((tuple(draft[0]), fold(draft[1])), len(drafts) + 1)
        if number > len(drafts):
            drafts.append(draft)
            beside = {"solver": solvers[place - 1 : place], "difficulty": difficulty[place - 1 : place]}
            words[number] = {name: said[0] for name, said in beside.items() if said}
        else:
            repairs.append(Repair(kind="merged", part=place, text=f"part {place} asks the same as part {number}"))
    text = _letters_of(" ".join(segment.text for segment in segments if segment.kind == "question"), keep="#")
    parts = [
        _part(number, sources, question, segments, renumbered, text).model_copy(update=words[number])
        for number, (sources, question) in enumerate(drafts, 1)
    ]
    return ReadParts(_without_circles(parts), repairs)


def independent(parts: Sequence[Part]) -> list[Part]:
    """List the parts that can run at the same time: those that need no other's result."""
    return [part for part in parts if not part.needs]


def list_unnamed(parts: Sequence[Part], segments: Sequence[Segment]) -> list[Segment]:
    """List the question's segments that no part names or says in its own words: what holds for every part."""
    named = {number for part in parts for number in part.sources}
    words = [folded for part in parts if (folded := fold(part.question))]
    return [
        segment
        for segment in segments
        if segment.kind == "question" and segment.number not in named and not _cover(_without_marker(segment), words)
    ]


def list_unnamed_so_far(parts: Sequence[Part], segments: Sequence[Segment]) -> list[Segment]:
    """List the same while the outline is being written, as it will probably be at its end.

    Lists are worked through in order: what comes after the last segment named will be named. Where parts are said in
    their own words, a segment of which some are said already will be said whole.
    """
    last = max((number for part in parts for number in part.named), default=0)
    words = [folded for part in parts if not part.named and (folded := fold(part.question))]
    return [
        segment
        for segment in list_unnamed(parts, segments)
        if segment.introduces
        or segment.number < last
        or (not last and not any(part in fold(segment.text) for part in words))
    ]


def _within(lines: Iterable[str], known: Mapping[int, Segment], repairs: list[Repair]) -> list[str]:
    """Empty the lines that go on counting past the last segment: what is left of them is in another line already."""
    written = list(lines)
    named = [_numbers(line) for line in written]
    sound = [numbers for numbers in named if numbers and numbers <= known.keys()]
    kept = []
    for line, numbers in zip(written, named, strict=True):
        left = numbers & known.keys()
        beyond = numbers - left
        if beyond and left and any(left <= other for other in sound):
            told = f"line `{shorten(line.strip(), MAX_REPAIR_CHARACTERS)}` left out: there is no segment {min(beyond)}"
            repairs.append(Repair(kind="dropped", segments=sorted(beyond), text=told))
            line = ""
        kept.append(line)
    return kept


def _numbers(line: str) -> set[int]:
    """Return what a line names that has no words of its own."""
    return {int(number) for number in re.findall(r"\d+", line)} if _NUMBERED.fullmatch(line.strip()) else set()


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
    if words or sources:
        # `1984: what happened then?` names no segment: the words are its own.
        own = words if sources else text
        repairs.append(Repair(kind="unknown_segment", segments=unknown, text=f"there is no segment {unknown[0]}"))
        return sorted(set(sources)), own
    repairs.append(
        Repair(
            kind="dropped",
            segments=unknown,
            text=f"line `{shorten(text, MAX_REPAIR_CHARACTERS)}` left out: there is no segment {unknown[0]}",
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
    others = {place: new for place, new in renumbered.items() if new != number}
    needs: set[int] = set()

    def renumber(found: re.Match[str]) -> str:
        need = others.get(int(found[1]))
        if need is None or _is_quoted(found, question, asked):
            return found.group()
        needs.add(need)
        return f"#{need}"

    own = _REFERENCE.sub(renumber, question) or _question_of(sources, segments)
    return Part(number=number, named=sources, sources=sources, needs=sorted(needs), question=own, as_asked=not question)


def _without_circles(parts: Sequence[Part]) -> list[Part]:
    """Take from parts that wait for each other in a circle what the first of them waits for."""
    needs = {part.number: set(part.needs) for part in parts}
    settled: set[int] = set()
    while len(settled) < len(needs):
        ready = {number for number in needs.keys() - settled if needs[number] <= settled}
        if not ready:
            first = min(needs.keys() - settled)
            needs[first] &= settled
            ready = {first}
        settled |= ready
    return [part.model_copy(update={"needs": sorted(needs[part.number])}) for part in parts]


def references(question: str) -> list[int]:
    """List the numbers of the results that a question refers to, such as `#1`."""
    return [int(number) for number in _REFERENCE.findall(question)]


def with_numbers(question: str, numbers: Mapping[int, int]) -> str:
    """Put other numbers into the references of a question."""
    return _REFERENCE.sub(lambda found: f"#{numbers.get(int(found[1]), int(found[1]))}", question)


def _is_quoted(found: re.Match[str], question: str, asked: str) -> bool:
    """Tell whether a `#1` is the user's own, as in `the #1 bestseller`: what stands beside it was asked so."""
    own = f"#{found[1]}"
    before = _letters_of(question[max(0, found.start() - MAX_WORD_CHARACTERS) : found.start()])[
        -QUOTE_CONTEXT_CHARACTERS:
    ]
    after = _letters_of(question[found.end() : found.end() + MAX_WORD_CHARACTERS])[:QUOTE_CONTEXT_CHARACTERS]
    return bool(before and before + own in asked) or bool(after and own + after in asked)


def _question_of(sources: Sequence[int], segments: Sequence[Segment]) -> str:
    """Say what named segments ask: their own text; of a document, its name and what asks about it."""
    named = [segment for segment in segments if segment.number in sources]
    asking = [segment for segment in named if segment.kind == "question"]
    asking = asking or [segment for segment in segments if segment.kind == "question"]
    words = "\n".join(_without_marker(segment) for segment in asking)
    labels = ", ".join(segment.label for segment in named if segment.kind == "document")
    return f"{labels}: {words}" if labels else words


def _without_marker(segment: Segment) -> str:
    return segment.text.removeprefix(segment.marker).strip() if segment.marker else segment.text


def _letters_of(text: str, keep: str = "") -> str:
    return "".join(character for character in text.casefold() if character.isalnum() or character in keep)


def _cover(segment: str, words: Sequence[str]) -> bool:
    """Tell whether parts say a segment in their own words: one has it whole, or all together nearly so."""
    left = whole = fold(segment)
    if any(whole in part for part in words):
        return True
    for part in sorted(words, key=len, reverse=True):
        left = left.replace(part, "", 1)
    # The signs of `C++` set it apart from `C`.
    signs = any(unicodedata.category(character)[0] == "S" or character in "#*%" for character in left)
    return left != whole and not signs and len(_letters_of(left)) <= MAX_UNSAID_SHARE * len(_letters_of(whole))

"""Which of several texts a question is about, told by the words that they share (pure)."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from nodes.combining import STEM
from nodes.related import COMMON, NAME
from nodes.segments import Segment

CLEARLY = 1.5
"""How many times as close as any segment given another one must be, to be named."""
MOST = 3
"""Segments that a question may be about before nothing is told by its words."""


def most_relevant(question: str, segments: Sequence[Segment], given: Sequence[int]) -> int | None:
    """Name the segment that a question is about, where those given with it clearly are not.

    A word counts the more, the fewer segments have it (inverse document frequency: K. Spärck Jones, 1972), and not
    at all where all have it. One word is no evidence, save where it stands in a document's name and in no other's.

    Args:
        question: What is asked.
        segments: All documents, or all items of a list.
        given: Numbers of the segments that go with the question.

    Returns:
        The segment's number; `None` where it is given already, or where nothing tells one from the others.
    """
    close = _Closeness.of(question, segments)
    first, *rest = close.order or [0]
    points = close.points
    if first in given or not rest or points[first] < CLEARLY * max([0.0, *(points.get(n, 0.0) for n in given)]):
        return None
    return first if points[first] > points[rest[0]] and close.tells(first) else None


def closest(question: str, segments: Sequence[Segment]) -> list[int]:
    """Number the segments that a question may be about: the closest, and those that are not clearly less close.

    Args:
        question: What is asked.
        segments: All documents, or all items of a list.

    Returns:
        The numbers, in order; none where the words tell nothing, or more than `MOST` of them are as close.
    """
    close = _Closeness.of(question, segments)
    first, *rest = close.order or [0]
    if not rest or not close.tells(first):
        return []
    found = [number for number in close.order if close.points[number] * CLEARLY > close.points[first]]
    return sorted(found) if len(found) <= MOST else []


class _Closeness(NamedTuple):
    """How close each of several segments is to a question."""

    having: Mapping[int, set[str]]
    """Which of the question's stems a segment has, by number."""
    named: Mapping[int, set[str]]
    """Which of them stand in its name."""
    weights: Mapping[str, float]
    points: Mapping[int, float]

    @classmethod
    def of(cls, question: str, segments: Sequence[Segment]) -> Self:
        stems = _stems(question)
        having = {segment.number: _having(stems, f"{segment.label}\n{segment.text}") for segment in segments}
        named = {segment.number: _having(stems, segment.label) for segment in segments}
        weights = {stem: _weight(stem, having) for stem in stems}
        points = {number: sum(weights[stem] for stem in own) for number, own in having.items()}
        return cls(having, named, weights, points)

    @property
    def order(self) -> list[int]:
        return sorted(self.points, key=lambda number: -self.points[number])

    def tells(self, number: int) -> bool:
        """Tell whether more speaks for a segment than a single word of its text."""
        told = [stem for stem in self.having[number] if self.weights[stem]]
        name = [stem for stem in self.named[number] if sum(stem in others for others in self.named.values()) == 1]
        return len(told) > 1 or bool(name)


def _stems(text: str) -> set[str]:
    words = set(NAME.findall(text.casefold())) - COMMON
    return {word.removesuffix("s")[:STEM] for word in words}


def _having(stems: set[str], text: str) -> set[str]:
    """Return the stems with which some word of a text begins."""
    folded = text.casefold()
    return {stem for stem in stems if _begins_a_word(stem, folded)}


def _begins_a_word(stem: str, text: str) -> bool:
    """Search without a pattern, which would look at every letter of long documents."""
    place = text.find(stem)
    while place > 0 and text[place - 1].isalpha():
        place = text.find(stem, place + 1)
    return place >= 0


def _weight(stem: str, having: Mapping[int, set[str]]) -> float:
    spread = sum(stem in own for own in having.values())
    return math.log(len(having) / spread) if spread else 0.0

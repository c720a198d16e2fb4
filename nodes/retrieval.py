"""Which of several texts a question is about, told by the words that they share (pure)."""

import math
from collections.abc import Mapping, Sequence

from nodes.combining import STEM
from nodes.related import COMMON, NAME
from nodes.segments import Segment

CLEARLY = 1.5
"""How many times as close as any segment given another one must be, to be named."""


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
    stems = _stems(question)
    having = {segment.number: _having(stems, f"{segment.label}\n{segment.text}") for segment in segments}
    named = {segment.number: _having(stems, segment.label) for segment in segments}
    weights = {stem: _weight(stem, having) for stem in stems}
    closeness = {number: sum(weights[stem] for stem in own) for number, own in having.items()}
    first, *rest = sorted(closeness, key=lambda number: -closeness[number]) or [0]
    if first in given or not rest or closeness[first] < CLEARLY * max([0.0, *(closeness.get(n, 0.0) for n in given)]):
        return None
    told = [stem for stem in having[first] if weights[stem]]
    name = [stem for stem in named[first] if sum(stem in others for others in named.values()) == 1]
    return first if closeness[first] > closeness[rest[0]] and (len(told) > 1 or name) else None


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

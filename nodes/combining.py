"""Threads that would only combine what the others find, which is the review's work (pure)."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodes.segments import Segment, asks, is_item

if TYPE_CHECKING:
    from nodes.plan import ThreadSpec

LEAST = 2
"""Threads that must be left."""
ALIKE = 0.75
"""Share of a thread's words that stand in what is asked, from which on it asks the same."""
STEM = 5
"""Letters by which words are compared: `populations` is `population`."""


def combining(threads: Sequence["ThreadSpec"], segments: Sequence[Segment]) -> list[int]:
    """List the places of threads that only combine others.

    They see none of the results that they would need. Such a thread asks once more what is asked of all, where the
    others each ask for a part of it; or it names what introduces a list, where the others name the list's items.
    """
    items = {segment.number for segment in segments if is_item(segment)}
    found = _around(threads, segments, items) if len(items) > 1 else _asking_again(threads, segments)
    return found if found and len(threads) - len(found) >= LEAST else []


def _around(threads: Sequence["ThreadSpec"], segments: Sequence[Segment], items: set[int]) -> list[int]:
    around = {segment.number for segment in segments if segment.kind == "question"} - items
    return [place for place, thread in enumerate(threads) if thread.sources and set(thread.sources) <= around]


def _asking_again(threads: Sequence["ThreadSpec"], segments: Sequence[Segment]) -> list[int]:
    asked = [segment.text for segment in segments if segment.kind == "question" and asks(segment.text)]
    if len(asked) != 1:
        return []
    known = _stems(asked[0])
    again = [place for place, thread in enumerate(threads) if _share(_stems(thread.subquestion), known) >= ALIKE]
    # Where several threads sound like the question, its parts do.
    return again if len(again) == 1 else []


def _stems(text: str) -> set[str]:
    return {word[:STEM] for word in re.findall(r"\w+", text.casefold())}


def _share(words: set[str], known: set[str]) -> float:
    return len(words & known) / len(words) if words else 0.0

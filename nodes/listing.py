"""A list of questions, or one question about each of several documents, is answered as a list (pure)."""

import re
from collections.abc import Mapping, Sequence

from nodes.plan import Plan
from nodes.results import ThreadResult
from nodes.segments import Segment, is_item, marker

_EACH = re.compile(r"\b(?:each|every|per)\b", re.IGNORECASE)
_OF_EACH = re.compile(r"\b(?:each|every|per|it|its)\b", re.IGNORECASE)
"""What refers to each of several things, or back to such a one: `Name it and say how to mend it.`"""
_OF_ALL = re.compile(
    r"\b(?:all|both|which of|most|least|best|worst|overall|compar\w*|differ\w*|common|together|altogether|total|rank\w*"
    r"|order|conclu\w*|summar\w* them|between)\b",
    re.IGNORECASE,
)
"""What asks for something beyond the single things."""


def entries(plan: Plan, segments: Sequence[Segment]) -> list[Segment]:
    """List the items, or the documents, that the answer has a line for each: every thread works on one of its own.

    Then the results are the answer as they stand; who writes them out again can only get them wrong. Nothing may be
    asked after a list of items, and nothing of documents but what is asked of each.

    Args:
        plan: The plan.
        segments: The numbered input.

    Returns:
        They, in the order of the input; none where the answer is more than its parts.
    """
    asked = [segment for segment in segments if segment.kind == "question"]
    items = [segment for segment in asked if is_item(segment)]
    documents = [segment for segment in segments if segment.kind == "document"]
    if items:
        found = items if is_item(asked[-1]) else []
    else:
        found = documents if _asks_of_each(asked) else []
    numbers = [segment.number for segment in found]
    worked_on = sorted(number for thread in plan.threads for number in thread.sources if number in numbers)
    return found if len(found) > 1 and worked_on == numbers and len(plan.threads) == len(found) else []


def as_a_list(plan: Plan, segments: Sequence[Segment], results: Mapping[str, ThreadResult]) -> str:
    """Write the results under their items' own numbers or bullets, or their documents' names; empty without `entries`.

    Args:
        plan: The plan.
        segments: The numbered input.
        results: What the threads came to, by id.
    """
    worker = {number: thread.id for thread in plan.threads for number in thread.sources}
    lines = [
        f"{marker(entry) or f'{entry.label}:'} {results[worker[entry.number]].answer}"
        for entry in entries(plan, segments)
    ]
    return ("\n\n" if any("\n" in line for line in lines) else "\n").join(lines)


def _asks_of_each(asked: Sequence[Segment]) -> bool:
    texts = [segment.text for segment in asked]
    return (
        any(_EACH.search(text) for text in texts)
        and all(_OF_EACH.search(text) for text in texts)
        and not any(_OF_ALL.search(text) for text in texts)
    )

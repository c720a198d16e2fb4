"""A list of questions is answered as a list (pure)."""

from collections.abc import Mapping, Sequence

from nodes.plan import Plan
from nodes.results import ThreadResult
from nodes.segments import Segment, is_item, marker


def answers_a_list(plan: Plan, segments: Sequence[Segment]) -> bool:
    """Tell whether each thread works on an item of its own, and nothing is asked after the list.

    Then the results are the answer as they stand; who writes them out again can only get them wrong.
    """
    asked = [segment for segment in segments if segment.kind == "question"]
    items = [segment.number for segment in asked if is_item(segment)]
    worked_on = [number for thread in plan.threads for number in thread.sources if number in items]
    return len(items) > 1 and is_item(asked[-1]) and sorted(worked_on) == items and len(plan.threads) == len(items)


def as_a_list(plan: Plan, segments: Sequence[Segment], results: Mapping[str, ThreadResult]) -> str:
    """Write the results under their items' own numbers or bullets, in the order asked."""
    worker = {number: thread.id for thread in plan.threads for number in thread.sources}
    items = [segment for segment in segments if is_item(segment)]
    return "\n".join(f"{marker(item)} {results[worker[item.number]].answer}" for item in items)

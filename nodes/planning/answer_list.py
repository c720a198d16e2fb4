"""The answer where the results are the answer: part by part, as they stand (pure)."""

from collections.abc import Mapping, Sequence

from nodes.input.segments import Segment
from nodes.planning.plan import ThreadPlan
from nodes.threads.results import ThreadResult


def as_list(plan: ThreadPlan, segments: Sequence[Segment], results: Mapping[str, ThreadResult]) -> str:
    """Write the results in turn, under their items' own markers or their documents' names where each has one.

    Args:
        plan: The plan.
        segments: The numbered input.
        results: What the threads came to, by id; only those that are answered have an entry.
    """
    named = {segment.number: segment for segment in segments}
    entries: list[tuple[str, str]] = []
    for thread in plan.threads:
        result = results.get(thread.id)
        if result is None or result.status != "answered":
            continue
        answers = result.answers or [result.answer]
        own = [part.named for part in thread.parts] or [[]]
        entries += [(_label(numbers, named), answer) for numbers, answer in zip(own, answers, strict=False)]
    labelled = all(label for label, _ in entries)
    lines = [f"{label} {answer}" if labelled else answer for label, answer in entries]
    return ("\n\n" if any("\n" in line for line in lines) else "\n").join(lines)


def _label(numbers: Sequence[int], named: Mapping[int, Segment]) -> str:
    """Return the marker of the one item that a part names, else the names of its documents."""
    own = [named[number] for number in numbers if number in named]
    documents = ", ".join(segment.label for segment in own if segment.kind == "document")
    markers = [segment.marker for segment in own if segment.marker]
    return markers[0] if len(markers) == 1 else f"{documents}:" if documents else ""

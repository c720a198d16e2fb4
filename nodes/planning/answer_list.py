"""The answer where the results are the answer: part by part, as they stand (pure)."""

from collections.abc import Iterable, Mapping, Sequence

from nodes.input.segments import Segment
from nodes.planning.plan import ThreadPlan
from nodes.threads.results import ThreadResult


def as_list(
    plan: ThreadPlan, segments: Sequence[Segment], results: Mapping[str, ThreadResult], *, beginning: bool = False
) -> str:
    """Write the results in turn, under their items' own markers or their documents' names where each has one.

    Args:
        plan: The plan.
        segments: The numbered input.
        results: What the threads came to, by id; only those that are answered have an entry.
        beginning: Stop before the first thread without an answer. The list that is written later, when more threads
            have answers, begins with what is returned.
    """
    named = {segment.number: segment for segment in segments}
    labels = {thread.id: [_label(part.named, named) for part in thread.parts] or [""] for thread in plan.threads}
    # Of the whole plan, so that no entry looks different when another one comes.
    labelled = all(label for own in labels.values() for label in own)
    entries: list[str] = []
    for id, own in labels.items():
        result = results.get(id)
        if result is not None and result.status == "answered":
            answers = zip(own, result.answers or [result.answer], strict=False)
            entries += [f"{label} {answer}" if labelled else answer for label, answer in answers]
        elif beginning:
            break
    return _set_apart(entries)


def _set_apart(entries: Iterable[str]) -> str:
    """Write each entry on a line of its own; one of several lines stands apart from its neighbours."""
    text, before = "", None
    for entry in entries:
        if before is not None:
            text += "\n\n" if "\n" in before or "\n" in entry else "\n"
        text, before = text + entry, entry
    return text


def _label(numbers: Sequence[int], named: Mapping[int, Segment]) -> str:
    """Return the marker of the one item that a part names, else the names of its documents."""
    own = [named[number] for number in numbers if number in named]
    documents = ", ".join(segment.label for segment in own if segment.kind == "document")
    markers = [segment.marker for segment in own if segment.marker]
    return markers[0] if len(markers) == 1 else f"{documents}:" if documents else ""

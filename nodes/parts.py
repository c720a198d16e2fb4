"""The parts that the assessment found, each with the segments that its words are about (pure).

A small planner counts: its second thread names the segment after that of its first, whatever they ask. Where each
part comes with its segments, it copies them instead.
"""

from collections.abc import Sequence

from nodes.retrieval import closest
from nodes.segments import Segment, asks, is_item
from prompts import block

WHOLE = 3
"""Segments of a question that asks once, up to which a part that is about none of them is about all."""


def parts_found(parts: Sequence[str], segments: Sequence[Segment]) -> str:
    """List the parts for the planner.

    Args:
        parts: As the assessment words them; where it left them out and the question lists items, these are the parts.
        segments: The numbered input.

    Returns:
        A headed list; nothing where no parts are known.
    """
    items = [segment for segment in segments if is_item(segment)]
    if parts:
        lines = [_line(part, about(part, segments)) for part in parts]
    elif len(items) > 1:
        documents = [segment for segment in segments if segment.kind == "document"]
        lines = [
            _line(f"item {place}", [item.number, *closest(item.text, documents)]) for place, item in enumerate(items, 1)
        ]
    else:
        return ""
    return block(f"{len(lines)} parts found", "\n".join(lines))


def about(part: str, segments: Sequence[Segment]) -> list[int]:
    """Number the segments that a part's words are about.

    Of a question that asks several times, only what asks is named: facts that no thread names are told to all threads.

    Args:
        part: What is to be found out.
        segments: The numbered input.

    Returns:
        The numbers, in order; none where the words do not tell.
    """
    documents = [segment for segment in segments if segment.kind == "document"]
    if documents:
        return closest(part, documents)
    asked = [segment for segment in segments if is_item(segment) or asks(segment.text)]
    if len(asked) < 2:
        whole = [segment.number for segment in segments]
        return (closest(part, segments) or whole) if len(whole) <= WHOLE else []
    words = _plain(part)
    verbatim = [segment.number for segment in asked if words and words in _plain(segment.text)]
    return verbatim if len(verbatim) == 1 else closest(part, asked)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip("?. ")


def _line(part: str, numbers: Sequence[int]) -> str:
    if not numbers:
        return f"- {part}"
    return f"- {part} (segment{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))})"

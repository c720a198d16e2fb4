"""How pieces of the input stand in a prompt (pure). Their text is data: it cannot close its own tag."""

import re
from collections.abc import Iterable

from nodes.llm.text import shorten
from nodes.segments import Segment

EXCERPT = 400
"""Characters of a document that the planner sees: enough to know what it is about."""
EXCERPTS_TOGETHER = 12_000
"""Characters of all excerpts, so that planning over many documents stays short."""

_CLOSING, _HARMLESS = re.compile(r"</(?=document\b)", re.IGNORECASE), r"<\\/"
_BRACKETS = str.maketrans("<>", "‹›")


def whole(segments: Iterable[Segment]) -> str:
    """Write segments out whole: what was asked as it stands, documents between tags."""
    return "\n".join(segment.text if segment.kind == "question" else _tagged(segment) for segment in segments)


def _tagged(segment: Segment) -> str:
    return f"<document {_name(segment)}>\n{_CLOSING.sub(_HARMLESS, segment.text)}\n</document>"


def _name(segment: Segment) -> str:
    """A document's name on one line and without brackets, so that it neither ends its tag nor starts another."""
    return " ".join(segment.label.translate(_BRACKETS).split())


def by_number(segments: Iterable[Segment]) -> str:
    """Write the question's segments out and name the documents, all by number."""
    return "\n".join(
        f"[{item.number}] {item.text}" if item.kind == "question" else f"[{item.number}] document {_name(item)}"
        for item in segments
    )


def overview(segments: list[Segment]) -> str:
    """Write the question's segments out and an excerpt of each document, all by number."""
    documents = sum(segment.kind == "document" for segment in segments)
    room = min(EXCERPT, EXCERPTS_TOGETHER // max(1, documents))
    lines = []
    for segment in segments:
        if segment.kind == "question":
            lines.append(f"[{segment.number}] {segment.text}")
        else:
            head = shorten(segment.text, room) if room >= 40 else ""
            lines.append(f"[{segment.number}] Document {_name(segment)} ({len(segment.text):,} characters): {head}")
    return "\n".join(lines)

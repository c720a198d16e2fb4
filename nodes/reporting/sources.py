"""What of the input goes with a run's solution, so that a plan can be read without the documents (pure)."""

from collections.abc import Iterable

from nodes.input.segments import Segment
from nodes.llm.replies.text import shorten
from nodes.shared.record import Record

MAX_SOURCE_CHARACTERS = 400
"""Characters of a document: enough to know what it is about."""


class Source(Record):
    """A numbered piece of the input, as plans name them."""

    number: int
    label: str = ""
    """A document's title or id; empty for a piece of the question."""
    characters: int
    """Its whole length."""
    excerpt: str
    """Its beginning; of the question's pieces all of it, where they are no longer."""


def list_sources(segments: Iterable[Segment]) -> list[Source]:
    """List the numbered input, each piece by its beginning."""
    return [
        Source(
            number=segment.number,
            label=segment.label,
            characters=len(segment.text),
            excerpt=shorten(segment.text, MAX_SOURCE_CHARACTERS),
        )
        for segment in segments
    ]

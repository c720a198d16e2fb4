"""Cutting what is too long for one context into numbered pieces (pure)."""

import re
from collections.abc import Iterator, Sequence

from nodes.input.segments import Segment
from nodes.shared.record import Record

_ENDS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?])\s"), re.compile(r"\s"))
"""Where a text may be cut, the best first: between paragraphs, lines, sentences, words."""


class Piece(Record):
    """A stretch of a segment that counts as a segment of its own. It holds no text, so that none is stored twice."""

    number: int
    of: int
    """The number of the segment."""
    start: int
    """The first character."""
    end: int
    """The character after the last."""
    label: str


def cut(text: str, longest: int) -> list[tuple[int, int]]:
    """Cut a text into stretches of nearly one length, where it comes to an end if possible.

    Args:
        text: The text.
        longest: Most characters of a stretch; at least 1.

    Returns:
        The first character of each stretch and the one after its last; together they are the whole text.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    count = -(-len(text) // longest)
    while start < len(text):
        wanted = min(longest, -(-(len(text) - start) // max(1, count - len(spans))))
        end = start + longest if start + longest < len(text) else len(text)
        if end < len(text) or len(spans) < count - 1:
            end = _end(text, start + wanted // 2, min(start + longest, len(text)), start + wanted)
        spans.append((start, end))
        start = end
    return spans


def _end(text: str, first: int, last: int, wanted: int) -> int:
    """Find the best place to cut between `first` and `last`: of the best kind, the one nearest to `wanted`."""
    for pattern in _ENDS:
        ends = [match.end() for match in pattern.finditer(text, first, last)]
        if ends:
            return min(ends, key=lambda end: abs(end - wanted))
    return min(wanted, last)


def cut_up(segments: Sequence[Segment], longest: int, *, after: int) -> list[Piece]:
    """Cut those segments that are longer than `longest` characters; the pieces are numbered from `after + 1`."""
    pieces: list[Piece] = []
    for segment in segments:
        if len(segment.text) <= longest:
            continue
        spans = cut(segment.text, longest)
        for part, (start, end) in enumerate(spans, 1):
            number = after + len(pieces) + 1
            # Without words, in whatever language is asked: a piece that a part names is named in answers.
            label = f"{segment.label or f'[{segment.number}]'} ({part}/{len(spans)})"
            pieces.append(Piece(number=number, of=segment.number, start=start, end=end, label=label))
    return pieces


def as_segments(pieces: Sequence[Piece], segments: Sequence[Segment]) -> Iterator[Segment]:
    """Take the text of pieces from the segments that they are of, which may be pieces themselves."""
    known = {segment.number: segment for segment in segments}
    for piece in pieces:
        if piece.of in known:
            text = known[piece.of].text[piece.start : piece.end]
            known[piece.number] = Segment(number=piece.number, text=text, kind=known[piece.of].kind, label=piece.label)
            yield known[piece.number]

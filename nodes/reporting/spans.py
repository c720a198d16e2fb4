"""How long what took, where much happens at once; a span is its start and its length in seconds (pure)."""

import heapq
from collections.abc import Iterable

Span = tuple[float, float]


def peak_overlap(spans: Iterable[Span]) -> int:
    """Return the most spans open at one moment."""
    ends: list[float] = []
    peak = 0
    for start, length in sorted(spans):
        # What ends as this one starts is closed: one call after another is not two at once.
        while ends and ends[0] <= start:
            heapq.heappop(ends)
        heapq.heappush(ends, start + length)
        peak = max(peak, len(ends))
    return peak


def sum_covered(spans: Iterable[Span]) -> float:
    """Return the seconds in which at least one span is open."""
    total = reached = 0.0
    for start, length in sorted(spans):
        total += max(0.0, start + length - max(start, reached))
        reached = max(reached, start + length)
    return total

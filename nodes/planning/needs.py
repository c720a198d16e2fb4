"""Which parts of a question wait for which, and which can be worked on at the same time (pure)."""

from collections.abc import Sequence
from itertools import groupby

from nodes.planning.outline import Part

MAX_LINKED_PARTS = 200
"""Parts up to which it is worked out who waits for whom: no plan has so many threads."""


def list_needed(parts: Sequence[Part]) -> dict[int, set[int]]:
    """Return, by the number of a part, all parts that must have ended before it, however far back."""
    found: dict[int, set[int]] = {}
    left = list(parts)
    while left:  # no circle leads back to a part, so that each pass finds some
        for part in left:
            if found.keys() >= set(part.needs):
                found[part.number] = set(part.needs).union(*(found[need] for need in part.needs))
        left = [part for part in left if part.number not in found]
    return found


def list_joining(parts: Sequence[Part]) -> list[Part]:
    """List the parts that bring all others together, which is what the review does anyway.

    Such a part needs every part that others start from; where all start from one, it needs every other part.
    """
    if len(parts) > MAX_LINKED_PARTS:
        return [part for part in parts if part.needs]
    needed = list_needed(parts)
    roots = {part.number for part in parts if not part.needs}
    others = roots if len(roots) > 1 else {part.number for part in parts}
    return [part for part in parts if len(others) > 1 and others - {part.number} <= needed[part.number]]


def levels(parts: Sequence[Part]) -> list[list[Part]]:
    """Sort the parts that become threads by how many others they wait for in a row; none needs one of its own level."""
    joining = {part.number for part in list_joining(parts)}
    own = [part for part in parts if part.number not in joining]
    needed = list_needed(own)
    depths: dict[int, int] = {}
    for part in sorted(own, key=lambda part: len(needed[part.number])):
        depths[part.number] = 1 + max((depths[need] for need in part.needs), default=-1)
    own.sort(key=lambda part: depths[part.number])
    return [list(level) for _, level in groupby(own, key=lambda part: depths[part.number])]


def widest(parts: Sequence[Part]) -> list[Part]:
    """Return the most parts that can be worked on at the same time."""
    return max(levels(parts), key=len, default=[])

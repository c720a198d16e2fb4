"""Threads that come upon several parts hand these on: how they say so, and the threads that take their place (pure).

Nested spawning follows APR (J. Pan et al., "Learning Adaptive Parallel Reasoning with Language Models", 2025), whose
threads call threads of their own at every level; here the setting `max_depth` bounds the levels.
"""

import json
import re
from collections.abc import Iterable, Sequence

from nodes.input.segments import Segment
from nodes.llm.replies.fences import outside_code
from nodes.planning.outline import Part
from nodes.planning.plan import ThreadSpec

MAX_SPAWNED = 64
"""Parts that one thread may hand on: as many as a plan may have threads."""

_PARTS = re.compile(r"^[ \t]*Parts:", re.MULTILINE)


def depth_of(id: str) -> int:
    """Return how many threads were split or handed parts on before this one came about; 0 for `T2`, 1 for `T2.1`."""
    return id.count(".")


def may_spawn(spec: ThreadSpec, segments: Iterable[Segment], max_depth: int) -> bool:
    """Tell whether a thread may hand parts on: where a model has said what one part is, and it reads no document.

    What the user lists is asked as it stands: to tell each of eight short threads how to hand parts on costs more than
    one that does would save. What is in a document need not be found first, and one that is too long is split as such;
    a small model that may hand on parts of a file that it is to review mostly does.
    """
    reads = any(segment.kind == "document" for segment in segments)
    whole = len(spec.parts) < 2 and not spec.portion and not any(part.as_asked for part in spec.parts)
    return depth_of(spec.id) < max_depth and whole and not reads


def read_spawned(text: str, subquestion: str) -> list[str]:
    """Return the parts that a thread hands on: the JSON list behind its last `Parts:`, if nothing follows it.

    One part alone is handed on, too, and an empty list stands for the whole: neither answers anything, and a thread
    that hands nothing on any more works it out.

    Args:
        text: The whole reply.
        subquestion: What the thread was asked.

    Returns:
        Different questions; none where it hands nothing on.
    """
    *_, marker = [None, *outside_code(_PARTS.finditer(text), text)]
    if marker is None:
        return []
    try:
        listed = json.loads(text[marker.end() :])
    except (ValueError, RecursionError):
        return []
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        return []
    parts = list(dict.fromkeys(item.strip() for item in listed if item.strip())) or [subquestion]
    return parts if len(parts) <= MAX_SPAWNED else []


def make_children(spec: ThreadSpec, parts: Sequence[str], limit: int) -> list[ThreadSpec]:
    """Return the threads that take the place of one: a part each, or in turn where there are more parts than room.

    Args:
        spec: The thread.
        parts: What it hands on.
        limit: Most threads in its place, at least one.

    Returns:
        Threads named `T2.1`, `T2.2`, …, which read what the thread read.
    """
    count = min(limit, len(parts))
    edges = [len(parts) * place // count for place in range(count + 1)]
    children = []
    for place, (start, end) in enumerate(zip(edges, edges[1:], strict=False), 1):
        own = [
            Part(number=number, sources=spec.sources, question=part)
            for number, part in enumerate(parts[start:end], start + 1)
        ]
        asked = "\n".join(part.question for part in own)
        children.append(
            ThreadSpec(id=f"{spec.id}.{place}", sources=spec.sources, subquestion=asked, needs=spec.needs, parts=own)
        )
    return children

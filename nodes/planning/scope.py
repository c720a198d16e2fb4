"""Which documents a part is about, told by the characters that they share: in every language alike (pure).

Protects small models, which count documents instead of reading their names. It adds a source and never takes one away.
"""

import math
from collections.abc import Collection, Sequence

from nodes.input.segments import Segment

GRAM_CHARACTERS = 3
"""Characters that are compared at once."""
MIN_CLOSENESS_RATIO = 1.5
"""How many times as close as another document one must be, to be told from it."""
MIN_CLOSENESS_SHARE = 0.1
"""Share that the closest document has of what one would have that has all trigrams of the part, and alone. Below it,
what they share is chance: `List all dates` shares something with every document."""
MAX_COMPARED_CHARACTERS = 2_000
"""Characters of a part that are compared; more tell no more."""
MAX_CLOSE_DOCUMENTS = 3
"""Documents that a part may be about before its words tell nothing."""


def closest(question: str, documents: Sequence[Segment], named: Sequence[int] = ()) -> list[int]:
    """Number the documents that a part is about and does not name.

    A trigram of the part counts the more, the fewer documents have it (inverse document frequency: K. Spärck Jones,
    "A statistical interpretation of term specificity", 1972), and not at all where all have it.

    Args:
        question: What is asked.
        documents: All documents.
        named: Numbers of those that it names; another one is added only where it is clearly closer.

    Returns:
        The numbers, in order; none where the characters tell nothing, or more than `MAX_CLOSE_DOCUMENTS` are as close.
    """
    grams = trigrams(question[:MAX_COMPARED_CHARACTERS])
    points = _points(grams, documents)
    best = max(points.values(), default=0.0)
    if best <= 0 or best < MIN_CLOSENESS_SHARE * len(grams) * math.log(len(documents)):
        return []
    known = max((points.get(number, 0.0) for number in named), default=0.0)
    if named and best < MIN_CLOSENESS_RATIO * known:
        return []
    found = sorted(number for number, score in points.items() if score * MIN_CLOSENESS_RATIO > best)
    return [number for number in found if number not in named] if len(found) <= MAX_CLOSE_DOCUMENTS else []


def _points(grams: Collection[str], documents: Sequence[Segment]) -> dict[int, float]:
    texts = {document.number: _fold(f"{document.label} {document.text}") for document in documents}
    points = dict.fromkeys(texts, 0.0)
    for gram in grams:
        having = [number for number, text in texts.items() if gram in text]
        weight = math.log(len(texts) / len(having)) if having else 0.0
        for number in having:
            points[number] += weight
    return points


def trigrams(text: str) -> set[str]:
    """Return the runs of three characters in a text, without case and with single blanks."""
    folded = _fold(text)
    return {folded[start : start + GRAM_CHARACTERS] for start in range(len(folded) - GRAM_CHARACTERS + 1)}


def _fold(text: str) -> str:
    return f" {' '.join(text.casefold().split())} "

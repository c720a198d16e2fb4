"""The shape of a question: its parts and which needs which, as found against as known (pure)."""

from collections import Counter
from collections.abc import Sequence
from graphlib import TopologicalSorter

from nodes.shared.record import Record
from nodes.state import Assessment

Part = tuple[str, Sequence[int]]
"""A part's question, and the numbers, from 1, of the parts whose answers it needs."""
MIN_ALIKENESS = 0.35
"""Below that two parts are not the same; of parts of two different FanOutQA questions 96 % are below."""


class Shape(Record):
    """How the parts that were found agree with those that are known."""

    parts_wanted: int = 0
    parts_found: int = 0
    parts_matched: int = 0
    widest_wanted: int = 0
    """Parts that can be answered at the same time at most, going by the known needs."""
    widest_found: int = 0
    needs_wanted: int = 0
    """Pairs of a part and one that it needs."""
    needs_found: int = 0
    needs_right: int = 0
    """Found pairs whose two parts match a known pair."""


def shape(wanted: Sequence[Part], found: Sequence[Part]) -> Shape:
    """Compare the parts that were found with the known ones."""
    pairs = match([text for text, _ in wanted], [text for text, _ in found])
    edges = {(number, need) for number, (_, needs) in enumerate(wanted, 1) for need in needs}
    told = {(number, need) for number, (_, needs) in enumerate(found, 1) for need in needs}
    return Shape(
        parts_wanted=len(wanted),
        parts_found=len(found),
        parts_matched=len(pairs),
        widest_wanted=widest([needs for _, needs in wanted]),
        widest_found=widest([needs for _, needs in found]),
        needs_wanted=len(edges),
        needs_found=len(told),
        needs_right=sum((pairs.get(number), pairs.get(need)) in edges for number, need in told),
    )


def parts_of(assessment: Assessment | None) -> list[Part]:
    """List the parts of an assessment, numbered by their places; a part can need only those before it."""
    places: dict[int, int] = {}
    parts: list[Part] = []
    for part in assessment.parts if assessment else []:
        parts.append((part.question, [places[need] for need in part.needs if need in places]))
        places[part.number] = len(parts)
    return parts


def widest(needs: Sequence[Sequence[int]]) -> int:
    """Count the parts of the widest level: a part's level is one more than the highest among those it needs."""
    sorter = TopologicalSorter(dict(enumerate(needs, 1)))
    sorter.prepare()
    most = 0
    while sorter.is_active():
        level = sorter.get_ready()
        most = max(most, len(level))
        sorter.done(*level)
    return most


def match(wanted: Sequence[str], found: Sequence[str]) -> dict[int, int]:
    """Match texts one to one, the most alike first.

    Returns:
        By the number of a found text, from 1, that of the wanted one.
    """
    known, told = [_trigrams(text) for text in wanted], [_trigrams(text) for text in found]
    alike = sorted((-_dice(a, b), m, n) for m, a in enumerate(told, 1) for n, b in enumerate(known, 1))
    pairs: dict[int, int] = {}
    for likeness, mine, theirs in alike:
        if -likeness >= MIN_ALIKENESS and mine not in pairs and theirs not in pairs.values():
            pairs[mine] = theirs
    return pairs


def _trigrams(text: str) -> Counter[str]:
    padded = f"  {' '.join(text.casefold().split())}  "
    return Counter(padded[start : start + 3] for start in range(len(padded) - 2))


def _dice(one: Counter[str], other: Counter[str]) -> float:
    """Return Dice's coefficient, 0 to 1 (L. R. Dice, Ecology 26, 1945)."""
    return 2 * (one & other).total() / (one.total() + other.total())

"""Which results may be about the same thing, told by the words that they share (pure)."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from nodes.results import ThreadResult

MOST = 6
"""Pairs shown to the reviewer, the closest first."""
ENOUGH = 0.5
"""Closeness of a pair that shares one word which no other result has."""
_WORD = re.compile(r"[^\W\d_]{4,}")
COMMON = frozenset(
    "about above after also although because been before being below between both could does done during each else "
    "every from give given gives have here into just know less like made make many more most much must name named "
    "only other over same says shall should since some such take tell than that their them then there these they "
    "thing this those through under until upon very want well were what when where which while whom whose will with "
    "within without would write your".split()
)


class Pair(NamedTuple):
    """Two results that share words."""

    one: str
    other: str
    words: list[str]


def words(result: ThreadResult) -> set[str]:
    """Return the words of a thread's question and result that say what it is about."""
    return set(_WORD.findall(f"{result.subquestion} {result.answer}".casefold())) - COMMON


def related(results: Sequence[ThreadResult]) -> list[Pair]:
    """List the pairs of results that share words, the closest first; a word counts less the more results have it."""
    known = {result.id: words(result) for result in results}
    spread = Counter(word for own in known.values() for word in own)
    pairs = []
    for one, other in combinations(known, 2):
        shared = sorted(known[one] & known[other], key=lambda word: (spread[word], word))
        closeness = sum(1 / spread[word] for word in shared)
        if closeness >= ENOUGH:
            pairs.append((closeness, Pair(one, other, shared[:3])))
    return [pair for _, pair in sorted(pairs, key=lambda item: -item[0])[:MOST]]


def may_disagree(one: ThreadResult, other: ThreadResult) -> bool:
    """Tell whether two results can be about the same thing; where one has no words, nothing speaks against it."""
    first, second = words(one), words(other)
    return not first or not second or bool(first & second)

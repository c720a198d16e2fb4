"""Which results may be about the same thing, told by the words that they share (pure)."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from nodes.results import ThreadResult
from nodes.sums import numbers

MOST = 6
"""Pairs that the reviewer is to compare, the closest first."""
ENOUGH = 0.5
"""Closeness of a pair that shares one word which no other result has."""
_WORD = re.compile(r"[^\W\d_]{4,}")
NAME = re.compile(r"[^\W\d_]{3,}")
"""A word that may be a name: many are short."""
COMMON = frozenset(
    "about above after also although because been before being below between both could does done during each else "
    "every from give given gives have here into just know less like made make many more most much must name named "
    "only other over same says shall should since some such take tell than that their them then there these they "
    "thing this those through under until upon very want well were what when where which while whom whose will with "
    "within without would write your "
    "all and any are but can did for had has her him his how its may nor not now off one our out per put say see she "
    "the too two use was way who why yet you".split()
)


class Pair(NamedTuple):
    """Two results that share words, by id."""

    one: str
    other: str

    def beside(self, id: str) -> str | None:
        """Return the other one of the two; `None` where `id` is neither."""
        return {self.one: self.other, self.other: self.one}.get(id)


def text_of(result: ThreadResult) -> str:
    """Return a thread's question and result."""
    return f"{result.subquestion} {result.answer}"


def words(result: ThreadResult) -> set[str]:
    """Return the words of a thread's question and result that say what it is about."""
    return set(_WORD.findall(text_of(result).casefold())) - COMMON


def related(results: Sequence[ThreadResult]) -> list[Pair]:
    """List the pairs of results that share words, the closest first.

    A word counts less the more results have it, and tells no two apart that all of several have.
    """
    by_id = {result.id: result for result in results}
    known = {id: words(result) for id, result in by_id.items()}
    spread = Counter(word for own in known.values() for word in own)
    everywhere = {word for word, count in spread.items() if count == len(known) > 2}
    pairs = []
    for one, other in combinations(known, 2):
        closeness = sum(1 / spread[word] for word in (known[one] & known[other]) - everywhere)
        if closeness >= ENOUGH and not _side_by_side(by_id[one], by_id[other]):
            pairs.append((closeness, Pair(one, other)))
    return [pair for _, pair in sorted(pairs, key=lambda item: -item[0])[:MOST]]


def _side_by_side(one: ThreadResult, other: ThreadResult) -> bool:
    """Tell whether two threads ask the same of two things, such as how long two rivers are.

    Neither may speak of the other's.
    """
    asked = [result.subquestion.casefold().split()[:2] for result in (one, other)]
    return asked[0] == asked[1] and bool(_own(one, other)) and bool(_own(other, one))


def _own(one: ThreadResult, other: ThreadResult) -> set[str]:
    """Return the words of a subquestion that another thread's question and result lack."""
    elsewhere = set(NAME.findall(text_of(other).casefold()))
    return set(NAME.findall(one.subquestion.casefold())) - elsewhere - COMMON


def may_disagree(one: ThreadResult, other: ThreadResult) -> bool:
    """Tell whether two results can be about the same thing: they share a word, or one is a mere calculation or less.

    A calculation can only be at odds with what shares a number with it; where neither words nor figures say what a
    result is about, nothing speaks against it.
    """
    first, second = words(one), words(other)
    if first and second:
        return bool(first & second)
    own, others = set(numbers(text_of(one))), set(numbers(text_of(other)))
    return bool(own & others) if (own and not first) or (others and not second) else True

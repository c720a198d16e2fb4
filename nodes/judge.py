"""Judging: what follows from a reviewer's words, and from calculations done again in plain code (pure)."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nodes.related import may_disagree, text_of
from nodes.results import ThreadResult
from nodes.state import Contradiction, Review, Verdict
from nodes.sums import Sum, close, mistakes, numbers, sums

_SAME_TWICE = re.compile(r"\b(\w{2,}),? not (?:the )?\1\b", re.IGNORECASE)
"""Small models refuse a name or a figure for itself: `it is Oslo, not Oslo`."""
_QUOTATION = re.compile(r"\b(T\d+(?:\.\d+)*) (?:says|names|gives|claims|has|that)\b((?:(?!\bT\d)[^;.\n]|\.\d)*)")
"""What is said of a result: that it says something."""
_NAME = re.compile(r"\b(?!(?:Yes|No|Not|The|It)\b)[A-Z][^\W\d_]+")
MOST_MISTAKES = 3
"""Wrong calculations told to a thread that runs again."""


class Judgement(NamedTuple):
    """A review, checked against the threads that it is about."""

    critiques: dict[str, str]
    """By id of each thread that does not stand."""
    contradictions: list[Contradiction]


def judge(review: Review, answered: Sequence[ThreadResult], given: str = "") -> Judgement:
    """Read a review: which threads do not stand, and why.

    A calculation that a thread wrote down and that does not come out as it says refutes it, whatever the reviewer says;
    where the reviewer's own one comes out as the result says, the result stands, and where it does not, it does not.

    Words about threads that were not asked about are dropped, and so are contradictions between results that share
    no word, which small models make up. A thread that could not be judged stands; where its critique names another
    one, the two contradict each other. Of contradicting threads the ones that the reviewer wants redone do not stand;
    where it settled on none, none of them does.

    Args:
        review: What the reviewer wrote.
        answered: The results that it was shown.
        given: The question, documents and instructions; a calculation that stands there is not a thread's own.
    """
    known = {thread.id: thread for thread in answered}
    verdicts = {word.thread_id: word for word in review.verdicts if word.thread_id in known}
    critiques = {
        id: word.critique.strip() or "The result was judged wrong."
        for id, word in verdicts.items()
        if word.verdict == "retry" and not _made_up(id, word.critique, known) and not _confirmed(known[id], word)
    }
    for thread in answered:
        if why := _miscalculated(thread, verdicts.get(thread.id), given):
            critiques[thread.id] = f"{critiques.get(thread.id, '')} {why}".strip()
    wanted_back, contradictions = set(critiques), _contradictions(review, verdicts, known)
    for contradiction in contradictions:
        named = contradiction.thread_ids
        if wanted_back & set(named):
            continue
        for id in named:
            if id not in critiques and (id not in verdicts or verdicts[id].verdict != "could_not_judge"):
                critiques[id] = (
                    f"It contradicts {', '.join(other for other in named if other != id)}: {contradiction.claim}"
                )
    return Judgement({id: critiques[id] for id in known if id in critiques}, contradictions)


def _contradictions(
    review: Review, verdicts: Mapping[str, Verdict], known: Mapping[str, ThreadResult]
) -> list[Contradiction]:
    """List the contradictions that can be some: those named, then those told by what could not be judged."""
    told = list(review.contradictions)
    named = {id for contradiction in told for id in contradiction.thread_ids}
    for id, word in verdicts.items():
        if word.verdict == "could_not_judge" and id not in named:
            ids = [id, *_named_in(word.critique, id, known)]
            told.append(Contradiction(thread_ids=ids, claim=word.critique.strip()))
            named |= set(ids) if len(ids) > 1 else set()
    found = []
    for contradiction in told:
        misquoted = _misquoted(contradiction.claim, known)
        ids = [id for id in dict.fromkeys(contradiction.thread_ids) if id in known and id not in misquoted]
        ids = [id for id in ids if any(may_disagree(known[id], known[other]) for other in ids if other != id)]
        if len(ids) > 1:
            found.append(Contradiction(thread_ids=ids, claim=contradiction.claim))
    return found


def _named_in(critique: str, id: str, known: Mapping[str, ThreadResult]) -> list[str]:
    """List the other results that a critique names, without those that do not say what it says of them."""
    names, misquoted = re.findall(r"\bT\d+(?:\.\d+)*\b", critique), _misquoted(critique, known, id)
    return [name for name in dict.fromkeys(names) if name in known and name != id and name not in misquoted]


def _misquoted(text: str, known: Mapping[str, ThreadResult], beside: str = "") -> set[str]:
    """List the results of which a text says what they do not say; only figures and names tell, other words may differ.

    Args:
        text: A critique or a claim.
        known: All results.
        beside: The result that is judged; what it says itself, no other need say.
    """
    found = set()
    for id, said in _QUOTATION.findall(text):
        if id not in known or id == beside:
            continue
        theirs, own = text_of(known[id]), text_of(known[beside]) if beside else ""
        figures = set(numbers(said)) - set(numbers(own))
        names = {name for name in _NAME.findall(said) if name not in own}
        if (figures or names) and not figures & set(numbers(theirs)) and not any(name in theirs for name in names):
            found.add(id)
    return found


def _made_up(id: str, critique: str, known: Mapping[str, ThreadResult]) -> bool:
    """Tell whether a critique rests on nothing, or on another result alone that is about or says something else."""
    if _SAME_TWICE.search(critique):
        return True
    others = _named_in(critique, id, known)
    if not others:
        return bool(_misquoted(critique, known, id)) and not sums(critique)
    return not any(may_disagree(known[id], known[other]) for other in others)


def _miscalculated(thread: ThreadResult, word: Verdict | None, given: str) -> str:
    """Say which calculation of a thread, or of the reviewer about it, comes out differently; empty if none does."""
    wrong = mistakes(f"{thread.text}\n{thread.answer}", given)
    if wrong:
        return " ".join(f"`{one.written}` is wrong: it comes to {one.value:.10g}." for one in wrong[:MOST_MISTAKES])
    check, told = _check(word), numbers(thread.answer)
    if word is None or word.verdict == "retry" or check is None or not told or _confirmed(thread, word):
        return ""
    asked = numbers(thread.subquestion)
    # Only where it is a calculation of what the question gives is it about the result as a whole.
    if not all(operand in asked for operand in check.operands):
        return ""
    return f"`{check.written}`: the result says something else."


def _confirmed(thread: ThreadResult, word: Verdict) -> bool:
    """Tell whether what the reviewer calculated is what the result says."""
    check = _check(word)
    return check is not None and any(close(check.value, number) for number in numbers(thread.answer))


def _check(word: Verdict | None) -> Sum | None:
    """Return the calculation in which a reviewer's check ends."""
    calculated = sums(word.critique) if word else []
    return calculated[-1] if calculated else None

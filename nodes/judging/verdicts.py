"""What a reviewer writes, exceptions only, and what follows from it (pure)."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import Field, model_validator

from nodes.planning.plan import THREAD_NUMBER
from nodes.planning.repair import Repair
from nodes.shared.cleaning import words_and_figures
from nodes.shared.record import Record
from nodes.threads.results import ThreadResult

_ID = re.compile(rf"\A[^\d]{{0,20}}?({THREAD_NUMBER})(?!\d)\W*")
"""How a line about a thread begins: `T2:`, `t2`, `thread T2 -`; the words before the number do not matter."""


class Conflict(Record):
    """Results that cannot both be true, each with the words that show it."""

    threads: list[str] = Field(description="Ids of the threads.")
    quotes: list[str] = Field(description="One quotation of each thread's result, word for word.")


class Review(Record):
    """What is wrong with the results, if anything, and the answer."""

    redo: list[str] = Field(
        default_factory=list, description="Results to be done again: the thread's id, then what is wrong."
    )
    conflicts: list[Conflict] = Field(default_factory=list)
    answer: str = Field("", description="The answer; left out where the results are the answer.")

    @model_validator(mode="before")
    @classmethod
    def _is_a_review(cls, written: Any) -> Any:
        """Refuse what has none of the fields, such as the scrap of a broken reply: nothing wrong must be said."""
        if isinstance(written, dict) and not written.keys() & cls.model_fields.keys():
            raise ValueError(f"none of the fields {', '.join(cls.model_fields)} is there")
        return written


class Judgement(NamedTuple):
    """A review, checked against the results that it is about."""

    critiques: dict[str, str]
    """What is wrong, by id of each thread that is to be done again."""
    conflicts: list[Conflict]
    """Those whose quotations stand in the results that they name, with the results' own ids."""
    repairs: list[Repair]
    """Words that fit no result."""


def judge(review: Review, answered: Sequence[ThreadResult], crossed: Sequence[Conflict] = ()) -> Judgement:
    """Read a review: which threads it wants redone and why, and which results conflict.

    The reviewer's word stands; code only checks what it is about. Ids are read leniently. A conflict counts when each
    of its quotations stands in the result of its thread.

    Args:
        review: What the reviewer wrote.
        answered: The results that it was shown.
        crossed: Conflicts that a cross-check found; they count whether or not the reviewer names them.
    """
    known = {thread.id.removeprefix("T"): thread for thread in answered}
    critiques: dict[str, str] = {}
    repairs: list[Repair] = []
    for line in review.redo:
        found = _ID.match(line.strip())
        if found is None or found[1] not in known:
            repairs.append(Repair(kind="unknown_thread", text=f"the review names no known thread: {line}"))
            continue
        why = line.strip()[found.end() :].strip()
        critiques.setdefault(known[found[1]].id, why or "The result was judged wrong.")
    conflicts = []
    for conflict in review.conflicts:
        if (sound := _confirm(conflict, list(known.values()))) is not None:
            conflicts.append(sound)
        else:
            told = f"a conflict between {', '.join(conflict.threads)} quotes what does not stand in their results"
            repairs.append(Repair(kind="unfounded_conflict", text=told))
    named = [set(conflict.threads) for conflict in conflicts]
    conflicts += [conflict for conflict in crossed if not any(set(conflict.threads) <= threads for threads in named)]
    return Judgement(critiques, conflicts, repairs)


def _confirm(conflict: Conflict, answered: Sequence[ThreadResult]) -> Conflict | None:
    """Return a conflict with the results' ids, if every quotation stands in the result of its thread."""
    by_number = {thread.id.removeprefix("T"): thread for thread in answered}
    ids, quotes = [], []
    for name, quote in zip(conflict.threads, conflict.quotes, strict=False):
        found = _ID.match(name.strip())
        thread = by_number.get(found[1]) if found else None
        if thread is None or not _occurs_in(quote, thread.answer):
            return None
        ids.append(thread.id)
        quotes.append(quote.strip())
    return Conflict(threads=ids, quotes=quotes) if len(set(ids)) > 1 else None


def _occurs_in(quote: str, text: str) -> bool:
    """Tell whether a quotation stands word for word in a text, whatever the case, the blanks and the marks around."""
    wanted = words_and_figures(quote)
    return bool(wanted) and wanted in words_and_figures(text)

"""Splitting the input into numbered segments (all pure)."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal, NamedTuple

from nodes.input.blocks import blocks
from nodes.input.sentences import has_question_mark as has_question_mark
from nodes.input.sentences import may_ask_unmarked, sentences
from nodes.shared.cleaning import clean_text
from nodes.shared.record import Record


class Segment(Record):
    """A numbered piece of the input."""

    number: int
    """From 1: first those of the question, then one a document and a turn, last those that only introduce others."""
    text: str
    kind: Literal["question", "document", "turn"] = "question"
    """A turn is what was said before in a conversation."""
    label: str = ""
    """The title or id of a document or a turn; empty for the question's segments."""
    marker: str = ""
    """What an item of a list begins with, such as `1.` or `-`; empty for what is no item."""
    introduces: bool = False
    """Whether it only introduces the list or the documents after it: it is shown without a number, and no part of its
    own."""


class _Part(NamedTuple):
    text: str
    marker: str = ""
    prose: bool = False


def split_input(
    question: str, documents: Iterable[tuple[str, str]] = (), turns: Iterable[tuple[str, str]] = ()
) -> list[Segment]:
    """Number the segments of an input: the question's sentences and list items, then whole documents.

    No text is lost, an item of a list is its whole block, with the lists and the code in it, and there is no cut where
    it is not certain that a sentence ends. What introduces a list is numbered last, so that the numbers shown of a list
    are those that its items have. So is a question about documents that is one piece: small models count these from 1.

    Args:
        question: The question; items of its lists and blocks of code stay whole.
        documents: Pairs of label and text.
        turns: The same, of what was said before.
    """
    parts = _parts(question)
    given: list[dict[str, Any]] = [{"text": text, "kind": "document", "label": label} for label, text in documents]
    alone = len(parts) == 1 and bool(given)
    found: list[dict[str, Any]] = [
        {"text": part.text, "marker": part.marker, "introduces": alone or _introduces(part, after)}
        for part, after in zip(parts, [*parts[1:], None], strict=False)
    ]
    found += given
    found += [{"text": text, "kind": "turn", "label": label} for label, text in turns]
    places = sorted(range(len(found)), key=lambda place: found[place].get("introduces", False))
    numbers = {place: number for number, place in enumerate(places, 1)}
    return [Segment(number=numbers[place], **fields) for place, fields in enumerate(found)]


def _introduces(part: _Part, after: _Part | None) -> bool:
    """Tell whether a part asks nothing itself, and an item follows it."""
    return after is not None and bool(after.marker) and not part.marker and not has_question_mark(part.text)


# The same question is numbered at every step of a run, and many runs are under way at once.
@lru_cache(maxsize=128)
def _parts(question: str) -> tuple[_Part, ...]:
    found: list[_Part] = []
    for prose, group in groupby(blocks(clean_text(question)), key=lambda block: block.prose):
        if prose:
            found += _cut_prose([block.text for block in group])
        else:
            found += [_Part(block.text.strip(), block.marker) for block in group]
    return tuple(_with_words([part for part in found if part.text]))


def _cut_prose(paragraphs: Sequence[str]) -> list[_Part]:
    """Cut prose into its sentences where it asks several times; else it stays whole.

    Facts that lead up to one question are no parts of their own, and numbered one by one they look like it. Where
    nothing is marked as a question, what ends with `。`, `।` and their like may be one.
    """
    told = [sentence for paragraph in paragraphs for sentence in sentences(paragraph)]
    asked = sum(map(has_question_mark, told))
    if asked < 2 and (asked or not any(map(may_ask_unmarked, told))):
        told = ["\n\n".join(paragraph.strip() for paragraph in paragraphs)]
    return [_Part(sentence, prose=True) for sentence in told]


def _with_words(parts: Sequence[_Part]) -> list[_Part]:
    """Put what holds no word, such as a ruler, to the prose beside it."""
    found: list[_Part] = []
    worded = True
    for part in parts:
        before, worded = worded, any(char.isalnum() for char in part.text)
        if found and part.prose and found[-1].prose and not (before and worded):
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{part.text}")
            worded = worded or before
        else:
            found.append(part)
    return found

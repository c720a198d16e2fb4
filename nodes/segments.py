"""Splitting the input into numbered segments (all pure)."""

import re
from collections.abc import Iterable
from typing import Literal

from nodes.record import Record


class Segment(Record):
    """A numbered piece of the input."""

    number: int
    """From 1: first those of the question, then one a document."""
    text: str
    kind: Literal["question", "document"] = "question"
    label: str = ""
    """A document's title or id; empty for the question's segments."""
    marker: str = ""


# A line that starts a list item: "1. ", "2) ", "(a) ", "- ", "* ", "• ".
_ITEM = re.compile(r"^[ \t]*(?:[-*•]|\(?(?:\d{1,3}|[A-Za-z])[.)])[ \t]+", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```.*?(?:^[ \t]*```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
# Points that end no sentence, with the space and the first character after them. A lone letter is an initial
# only as a capital ("solve for x." ends a sentence), and "no." is a number only before one.
# A number alone at the start of a sentence counts an item: "Solve these: 1. … 2. …".
_ABBREVIATION = re.compile(
    r"(?:\b(?i:e\.g|i\.e|etc|vs|cf|dr|mr|mrs|ms|prof|st|jr|sr|inc|ltd|co|u\.s|u\.k|a\.m|p\.m)|\b[A-Z])\.\s+\S?\Z"
    r"|\b(?i:no|fig|eq|approx)\.\s+\d\Z"
    r"|(?:\A|[:;]\s)\s*\(?\d{1,2}\.\s+\S?\Z"
)
_LONGEST_ABBREVIATION = 8
"""Characters, the one before its first letter included; looking no further back keeps splitting linear."""
_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]]*\s+|[。！？]\s*|\n\s*\n")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_QUESTION_MARK = re.compile(r"[?？][\"'”’)\s]*\Z")
_QUESTION_WORD = r"(?:and\s+|then\s+|also\s+|plus\s+)*(?:what|who|whom|whose|which|when|where|why|how)\b"
_BEGINS = re.compile(_QUESTION_WORD, re.IGNORECASE)
# Inside one sentence, a comma or semicolon before a question word starts a question of its own.
_CLAUSE = re.compile(rf"[,;]\s+(?={_QUESTION_WORD})", re.IGNORECASE)


def split_input(question: str, documents: Iterable[tuple[str, str]] = ()) -> list[Segment]:
    """Number the segments of an input: the question's sentences and list items, then whole documents.

    Args:
        question: The question; code blocks in it stay whole.
        documents: Pairs of label and text.
    """
    pieces = [Segment(number=0, text=text, marker=(_ITEM.match(text) or [""])[0].strip()) for text in split_question(question)]
    pieces += [Segment(number=0, text=text, kind="document", label=label) for label, text in documents]
    return [piece.model_copy(update={"number": number}) for number, piece in enumerate(pieces, 1)]


def split_question(question: str) -> list[str]:
    """Split a question into sentences, clauses that ask, items of a list and code blocks; no text is lost.

    An item of a list stays whole, as it was meant, however many sentences it has.
    """
    segments: list[str] = []
    position = 0
    for fence in _FENCE.finditer(question):
        segments += _split_prose(question[position : fence.start()])
        segments.append(fence.group().strip())
        position = fence.end()
    segments += _split_prose(question[position:])
    return [segment for segment in segments if segment]


def sentences(text: str) -> list[str]:
    """Split a text into sentences and list items."""
    starts = [match.start() for match in _ITEM.finditer(text)]
    blocks = [text[start:end] for start, end in zip([0, *starts], [*starts, len(text)], strict=True)]
    return [sentence for block in blocks for sentence in _sentences(block)]


def is_question(sentence: str) -> bool:
    """Tell whether a sentence ends as a question."""
    return bool(_QUESTION_MARK.search(sentence))


def asks(clause: str) -> bool:
    """Tell whether a clause asks something: it ends as a question, or begins like one."""
    return is_question(clause) or bool(_BEGINS.match(clause))


def is_item(segment: Segment) -> bool:
    """Tell whether a segment is an item of a list."""
    return segment.kind == "question" and bool(_ITEM.match(segment.text))


def marker(segment: Segment) -> str:
    """Return what an item begins with, such as `1.` or `-`; empty for what is no item."""
    found = _ITEM.match(segment.text)
    return found.group().strip() if found else ""


def list_items(text: str) -> int:
    """Count the lines that start an item of a list."""
    return len(_ITEM.findall(text))


def _split_prose(text: str) -> list[str]:
    starts = [match.start() for match in _ITEM.finditer(text)]
    if len(starts) < 2:
        return _asked(text)
    segments = _asked(text[: starts[0]])
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        item, after = _item(text[start:end])
        segments += [item, *_asked(after)]
    return segments


def _item(block: str) -> tuple[str, str]:
    """Cut off what follows an item of a list after a blank line."""
    blank = _BLANK_LINE.search(block)
    return (block[: blank.start()].strip(), block[blank.end() :]) if blank else (block.strip(), "")


def _asked(text: str) -> list[str]:
    return list(sentences(text))


def _sentences(block: str) -> list[str]:
    marker = _ITEM.match(block)
    sentences, start = [], 0
    for end in _SENTENCE_END.finditer(block, marker.end() if marker else 0):
        if _ABBREVIATION.search(block[max(start, end.start() - _LONGEST_ABBREVIATION) : end.end() + 1]):
            continue
        sentences.append(block[start : end.end()].strip())
        start = end.end()
    return [sentence for sentence in [*sentences, block[start:].strip()] if sentence]


def _clauses(sentence: str) -> list[str]:
    cuts = [match.end() for match in _CLAUSE.finditer(sentence)]
    return [sentence[start:end].strip() for start, end in zip([0, *cuts], [*cuts, len(sentence)], strict=True)]


def has_question_mark(text: str) -> bool:
    return text.rstrip(")\"' ").endswith(("?", "？"))

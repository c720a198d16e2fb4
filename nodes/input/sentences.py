"""Sentences, in whatever language they are written (pure). Where it is not certain, there is no cut."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import sentencex

_ANY = "en"
"""Whose rules know the marks of all scripts that end a sentence."""
_OTHERS = ("de", "fr", "es", "it", "pt", "pl", "ru")
"""Whose abbreviations and ordinals end no sentence either: nobody tells us which language a question is in."""
_FULL_STOPS, _QUESTION_MARKS = frozenset(".!…．！"), frozenset("?？؟")
_EMPHASIS_AND_QUOTES = frozenset("\"'*_`")
_TICKS = re.compile(r"`+")
_ITEM_NUMBER = re.compile(r"[:;：；]\s*[(（]?\d{1,3}\Z")
"""As in "Solve: 1. Who is it?"; the full stop after it ends no sentence."""
_WINDOW_CHARACTERS = 400
"""Characters that are split at a time: the splitter's work is quadratic in them."""


def sentences(text: str) -> list[str]:
    """Split a text into its sentences; no text is lost but white space between them."""
    cuts = [0, *_cuts(text), len(text)]
    parts = [text[start:end].strip() for start, end in zip(cuts, cuts[1:], strict=False)]
    return [part for part in parts if part]


def has_question_mark(text: str) -> bool:
    """Tell whether a text ends with a question mark of any script, whatever closes after it."""
    bare = text.rstrip()
    end = len(bare)
    while end and _closes(bare[end - 1]):
        end -= 1
    if not end:
        return False
    return _asks(bare[end - 1]) or (bare[end - 1] == ";" and end > 1 and _is_greek(bare[end - 2]))


def ends_a_sentence(text: str) -> bool:
    """Tell whether a text ends with a mark that may end a sentence."""
    bare = text.rstrip()
    while bare and _closes(bare[-1]):
        bare = bare[:-1]
    return bool(bare) and unicodedata.category(bare[-1]) == "Po" and bare[-1] not in ",;:،؛、，；："


def may_ask_unmarked(text: str) -> bool:
    """Tell whether a text ends as sentences do in scripts in which a question needs no mark of its own, as in `。`."""
    bare = text.rstrip()
    return ends_a_sentence(bare) and not bare[-1].isascii() and bare[-1] not in _FULL_STOPS


def _cuts(text: str) -> list[int]:
    read, code = _make_readable(text), _code_spans(text)
    cuts, worded, start = [], False, 0
    for end, agreed in _candidates(read):
        worded = worded or any(char.isalpha() for char in read[start:end])
        # What holds no word, such as `1.`, is no sentence.
        if worded and not code[end] and _is_certain(read, start, end, agreed=agreed):
            cuts.append(end)
            worded = False
        start = end
    return cuts


def _candidates(text: str) -> Iterator[tuple[int, bool]]:
    """Yield where sentences may end, and whether that holds in all languages."""
    position = 0
    while position < len(text):
        window = text[position : position + _WINDOW_CHARACTERS]
        ends = _boundaries(_ANY, window)[:-1]
        agreed = set(ends)
        if not _FULL_STOPS.isdisjoint(window):
            for language in _OTHERS:
                agreed = agreed and agreed.intersection(_boundaries(language, window))
        for end in ends:
            yield position + end, end in agreed
        # The last sentence may go on, so it is read once more with what follows.
        position += ends[-1] if ends and position + _WINDOW_CHARACTERS < len(text) else _WINDOW_CHARACTERS


def _is_certain(text: str, start: int, end: int, *, agreed: bool) -> bool:
    """Tell whether a sentence ends with the stretch from `start` to `end` for certain."""
    last = end
    while last > start and text[last - 1] == " ":
        last -= 1
    mark = last
    while mark > start and _closes(text[mark - 1]):
        mark -= 1
    first = mark
    while first > start and (text[first - 1] in _FULL_STOPS or text[first - 1] in _QUESTION_MARKS):
        first -= 1
    ended_by, spaced, closed = text[first:mark], last < end, mark < last
    asks = not _QUESTION_MARKS.isdisjoint(ended_by)
    if (not spaced and (closed or text[mark - 1].isascii())) or _ITEM_NUMBER.search(text[start:first]):
        return False
    if text[end].islower():
        # "Who is it? and why?" asks twice; "Yahoo! is", "“Who?” means" and "a ? b : c" go on.
        return asks and not closed and first > start and text[first - 1] != " "
    return agreed or asks or _FULL_STOPS.isdisjoint(ended_by)


def _boundaries(language: str, text: str) -> list[int]:
    ends, position = [], 0
    try:
        for sentence in sentencex.segment(language, text):
            position += len(sentence)
            ends.append(position)
    except BaseException as error:
        # A fault of the splitter itself is no `Exception`; what it cannot read stays whole.
        if type(error).__name__ != "PanicException":
            raise
        return [len(text)]
    return ends


def _make_readable(text: str) -> str:
    """Write a text, character by character, with the marks and the white space that the splitter knows."""
    changes = {ord(char): " " for char in set(text) if char.isspace()}
    changes |= {ord(char): "?" for char in set(text) if _asks(char) and char not in _QUESTION_MARKS and char != "՞"}
    greek = re.sub(r"(?<=[\u0370-\u03ff\u1f00-\u1fff]);(?=\s|\Z)", "?", text)
    return greek.translate(changes)


def _code_spans(text: str) -> bytearray:
    """Mark the places inside code between back-ticks; a span is closed by as many as opened it."""
    marked = bytearray(len(text) + 1)
    ticks = list(_TICKS.finditer(text))
    closing: dict[int, list[int]] = {}
    for place in range(len(ticks) - 1, -1, -1):
        closing.setdefault(len(ticks[place].group()), []).append(place)
    place = 0
    while place < len(ticks):
        width = len(ticks[place].group())
        later = closing[width]
        while later and later[-1] <= place:
            later.pop()
        if later:
            start, end = ticks[place].end(), ticks[later[-1]].start()
            marked[start:end] = b"\1" * (end - start)
            place = later[-1]
        place += 1
    return marked


@lru_cache(maxsize=4_096)
def _asks(char: str) -> bool:
    name = unicodedata.name(char, "")
    return "QUESTION" in name and "INVERTED" not in name and unicodedata.category(char) == "Po"


def _closes(char: str) -> bool:
    return char in _EMPHASIS_AND_QUOTES or unicodedata.category(char) in ("Pe", "Pf")


def _is_greek(char: str) -> bool:
    return unicodedata.name(char, "").startswith("GREEK")

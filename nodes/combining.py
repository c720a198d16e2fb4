"""Threads that would only combine what the others find, which is the review's work (pure)."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodes.related import COMMON, NAME
from nodes.segments import Segment, asks, is_item

if TYPE_CHECKING:
    from nodes.plan import ThreadSpec

LEAST = 2
"""Threads that must be left."""
ALIKE = 0.75
"""Share of a thread's words that stand in what is asked, from which on it asks the same."""
STEM = 5
"""Letters by which words are compared: `populations` is `population`."""

# In English; in other languages such threads stay.
_RELATION = re.compile(r"\b(?:ratio|differ\w*|average|mean|sum|total|combined|compar\w*)\b", re.IGNORECASE)
_DEGREE = re.compile(
    r"\b(?:more|less|most|least|better|best|worse|worst|(?:larg|small|bigg|great|high|low|tall|short|long|deep|shallow"
    r"|fast|slow|old|young|heavi|light|wid|few|cheap|near|far|strong|weak|rich|poor|hott|cold|warm)(?:er|est))\b"
)


def combining(threads: Sequence["ThreadSpec"], segments: Sequence[Segment]) -> list[int]:
    """List the places of threads that only combine others.

    They see none of the results that they would need. Such a thread asks once more what is asked of all, where the
    others each ask for a part of it; or it compares what the others find out; or it names what introduces a list,
    where the others name the list's items.
    """
    items = {segment.number for segment in segments if is_item(segment)}
    if len(items) > 1:
        found = _around(threads, segments, items)
    else:
        found = sorted({*_asking_again(threads, segments), *_comparing(threads, segments)})
    return found if found and len(threads) - len(found) >= LEAST else []


def _around(threads: Sequence["ThreadSpec"], segments: Sequence[Segment], items: set[int]) -> list[int]:
    around = {segment.number for segment in segments if segment.kind == "question"} - items
    return [place for place, thread in enumerate(threads) if thread.sources and set(thread.sources) <= around]


def _asking_again(threads: Sequence["ThreadSpec"], segments: Sequence[Segment]) -> list[int]:
    asked = [segment.text for segment in segments if segment.kind == "question" and asks(segment.text)]
    if len(asked) != 1:
        return []
    known = _stems(asked[0])
    again = [place for place, thread in enumerate(threads) if _share(_stems(thread.subquestion), known) >= ALIKE]
    # Where several threads sound like the question, its parts do.
    return again if len(again) == 1 else []


def _comparing(threads: Sequence["ThreadSpec"], segments: Sequence[Segment]) -> list[int]:
    """List the thread that sets against each other what others find out, and of the question adds nothing else.

    Whoever asks for the distance between two towns asks for something new; whoever asks for the ratio of their
    populations, which are other threads' work, does not.
    """
    texts = [segment.text for segment in segments if segment.kind == "question"]
    asked = [text for text in texts if asks(text)]
    if len(asked) > 1:
        return []
    question, wish = _content(" ".join(texts)), _stems(" ".join(asked))
    own = [_content(thread.subquestion) for thread in threads]
    compares = [_compares(thread.subquestion, wish) for thread in threads]
    plain = [words for words, comparing in zip(own, compares, strict=True) if not comparing]
    spread = Counter(word for words in plain for word in words)
    things = [{word for word in words & question if spread[word] == 1} for words in plain]
    found = []
    for place, words in enumerate(own):
        named = sum(bool(words & thing) for thing in things)
        alike = sum(bool(thing and words & other) for thing, other in zip(things, plain, strict=True))
        others = {word for other in own[:place] + own[place + 1 :] for word in other}
        new = (words & question) - others
        # It names the things of several others, or speaks of them all without naming any.
        if compares[place] and (named > 1 or (named == 0 and alike > 1)) and not new:
            found.append(place)
    # Several comparisons are parts of a larger one.
    return found if len(found) == 1 else []


def _compares(text: str, wish: set[str]) -> bool:
    """Tell whether a text compares; `older` may ask for something new, unless that is what the question asks for."""
    return bool(_RELATION.search(text)) or any(word[:STEM] in wish for word in _DEGREE.findall(text.casefold()))


def _content(text: str) -> set[str]:
    """Return the stems of the words that say what a text is about, without those that compare."""
    words = NAME.findall(_DEGREE.sub(" ", _RELATION.sub(" ", text.casefold())))
    return {word[:STEM] for word in words if word not in COMMON}


def _stems(text: str) -> set[str]:
    return {word[:STEM] for word in re.findall(r"\w+", text.casefold())}


def _share(words: set[str], known: set[str]) -> float:
    return len(words & known) / len(words) if words else 0.0

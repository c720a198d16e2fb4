"""Whether a review names the faulty line of each of several files (pure).

A line is named by its number (`line 7`) or by its text, white space aside; or the line is given as it should be. Who
names every line, or writes the file down again as it is, has named none.
"""

import re
from collections.abc import Sequence

from evals.item import Item

MAX_NAMED_LINES = 4
"""Lines of one file that can be named before naming them says nothing."""
MIN_TOLD_CHARACTERS = 8
"""Characters, white space aside, from which on a line is known by its text."""
_NUMBERED = re.compile(r"\b(?:lines?\b[\s#:*`]*(?:number\b|no\b\.?)?[\s#:*`]*|L)(\d+)\b", re.IGNORECASE)


def faults_named(item: Item, answer: str) -> list[bool]:
    """Tell for each file of a review whether its faulty line is named.

    Args:
        item: Its n-th answer says of the n-th document: the faulty line's number, its text, and as it should be.
        answer: The review.
    """
    about = about_files(answer, [document.id for document in item.documents])
    return [
        _names(text, document.text, int(line), _squeeze(wrong), _squeeze(right))
        for text, document, (line, wrong, right) in zip(about, item.documents, item.answers, strict=True)
    ]


def about_files(answer: str, names: Sequence[str]) -> list[str]:
    """Cut an answer where it names a file, and give each file what stands behind its name.

    All may be named without their endings. Where none is named, each may be what the whole answer is about.
    """
    if any(about := _behind(answer, names)):
        return about
    # A function of the file's name that is called or defined is no heading.
    about = _behind(answer, [name.rpartition(".")[0] for name in names], unless=r"\(")
    return about if all(about) else [answer] * len(names)


def _behind(answer: str, names: Sequence[str], unless: str = "") -> list[str]:
    anyone = "|".join(re.escape(name) for name in names)
    cuts = re.split(rf"(?<!\w)({anyone})(?!\w{f'|{unless}' if unless else ''})", answer)[1:]
    pieces = list(zip(cuts[::2], cuts[1::2], strict=True))
    return ["\n".join(text for name, text in pieces if name == own) for own in names]


def _names(text: str, code: str, line: int, wrong: str, right: str) -> bool:
    numbers = {int(number) for number in _NUMBERED.findall(text)}
    told, lines = _squeeze(text), [_squeeze(one) for one in code.splitlines()]
    quoted = {
        one
        for one in lines
        if len(one) >= MIN_TOLD_CHARACTERS and one in told and one not in wrong and one not in right
    }
    mended = right not in _squeeze(code) and right in told
    return (
        (line in numbers and len(numbers) <= MAX_NAMED_LINES)
        or (wrong in told and len(quoted) < MAX_NAMED_LINES)
        or mended
    )


def _squeeze(text: str) -> str:
    return "".join(text.split())

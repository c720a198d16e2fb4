"""The parts of an answer to a list of problems, by the numbers that they begin with (pure)."""

import re
from collections import defaultdict

# "2.", "**2)**", "### Problem 2:", "Answer 2 -" at the beginning of a line.
_HEADING = re.compile(
    r"^(?P<style>[ \t]*(?:[#*_(]+[ \t]*)*(?:(?:problem|question|answer|part|item|task|solution)\b[ \t]*(?:to\b[ \t]*)?"
    r"(?:problem|question|part|item)?[ \t]*)?#?)(?P<number>\d{1,2})[ \t]*(?:[.):*]|-[ \t]|$)",
    re.IGNORECASE | re.MULTILINE,
)


def sections(answer: str, count: int) -> dict[int, str]:
    """Cut an answer into the sections of the problems 1 to `count`.

    Of the headings that begin with 1 and go on without a gap, the least indented and most conspicuous ones count;
    lists inside of a section have others.

    Returns:
        What stands under each number; empty where there are not two sections or more.
    """
    styles: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for found in _HEADING.finditer(answer):
        styles[found["style"].casefold()].append((int(found["number"]), found.start(), found.end()))
    for style in sorted(styles, key=_least_nested):
        chain: list[tuple[int, int]] = []
        for number, start, end in styles[style]:
            if number == len(chain) + 1 <= count:
                chain.append((start, end))
        if len(chain) > 1:
            ends = [start for start, _ in chain[1:]] + [len(answer)]
            return {place: answer[chain[place - 1][1] : end] for place, end in enumerate(ends, 1)}
    return {}


def _least_nested(style: str) -> tuple[int, int]:
    told = style.lstrip()
    return len(style) - len(told), -len(told.rstrip())

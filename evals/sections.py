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
    lists inside of a section have others. Without such headings the numbers may stand within a line, all of them.

    Returns:
        What stands under each number; empty where there are not two sections or more.
    """
    styles: dict[tuple[str, bool], list[tuple[int, int, int]]] = defaultdict(list)
    for found in _HEADING.finditer(answer):
        # A line that is nothing but a number is more likely an answer than a heading among "1.", "2.".
        bare = found.group().strip().isdigit()
        styles[found["style"].casefold(), bare].append((int(found["number"]), found.start(), found.end()))
    for style in sorted(styles, key=lambda style: (style[1], *_least_nested(style[0]))):
        chain: list[tuple[int, int]] = []
        for number, start, end in styles[style]:
            if number == len(chain) + 1 <= count:
                chain.append((start, end))
        if len(chain) > 1:
            ends = [start for start, _ in chain[1:]] + [len(answer)]
            return {place: answer[chain[place - 1][1] : end] for place, end in enumerate(ends, 1)}
    return _within_a_line(answer, count) if count > 1 else {}


def _within_a_line(answer: str, count: int) -> dict[int, str]:
    """Cut `1. 8, 2. no, 3. (B)`, where every number has its place."""
    cuts: list[tuple[int, int]] = []
    for number in range(1, count + 1):
        found = re.compile(rf"(?<![\w.(]){number}[.):][ \t]").search(answer, cuts[-1][1] if cuts else 0)
        if not found:
            return {}
        cuts.append(found.span())
    ends = [start for start, _ in cuts[1:]] + [len(answer)]
    return {place: answer[start:end] for place, ((_, start), end) in enumerate(zip(cuts, ends, strict=True), 1)}


def _least_nested(style: str) -> tuple[int, int]:
    told = style.lstrip()
    return len(style) - len(told), -len(told.rstrip())

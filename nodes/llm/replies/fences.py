"""Where a text holds code between fences, as CommonMark has them, in lists and quotations too (pure)."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

FENCE = r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$"
_FENCE = re.compile(FENCE, re.MULTILINE)


class Fences:
    """Follows the fences of a text, line by line. What is never closed is a forgotten fence and holds no code."""

    def __init__(self, lines: Iterable[re.Match[str]]) -> None:
        """Look ahead over all fence lines of the text."""
        self._opened: re.Match[str] | None = None
        self._longest: dict[str, list[tuple[int, int]]] = {"`": [], "~": []}
        """By sign: where lines can close a fence, the last one first, each with the longest fence from there on."""
        for line in reversed([line for line in lines if not line["info"].strip()]):
            ends = self._longest[line["fence"][0]]
            ends.append((line.start(), max(len(line["fence"]), ends[-1][1] if ends else 0)))

    @property
    def inside(self) -> bool:
        """Whether what follows is code."""
        return self._opened is not None

    def pass_line(self, line: re.Match[str]) -> None:
        """Go past a fence line."""
        fence, info, opened = line["fence"], line["info"].strip(), self._opened
        if opened is not None:
            if fence[0] == opened["fence"][0] and len(fence) >= len(opened["fence"]) and not info:
                self._opened = None
        # After back-ticks none may follow: such a line is code within it.
        elif not (fence[0] == "`" and "`" in info) and self._closes_later(line):
            self._opened = line

    def leave(self) -> None:
        """Start anew: what came so far is no part of the text."""
        self._opened = None

    def _closes_later(self, line: re.Match[str]) -> bool:
        ends = self._longest[line["fence"][0]]
        while ends and ends[-1][0] <= line.start():
            ends.pop()
        return bool(ends) and ends[-1][1] >= len(line["fence"])


def code_spans(text: str) -> list[tuple[int, int]]:
    """Return where code stands, fences included."""
    spans: list[tuple[int, int]] = []
    lines = list(_FENCE.finditer(text))
    fences, start = Fences(lines), 0
    for line in lines:
        before = fences.inside
        fences.pass_line(line)
        if fences.inside and not before:
            start = line.start()
        elif before and not fences.inside:
            spans.append((start, line.end()))
    return spans


def outside_code(matches: Iterable[re.Match[str]], text: str) -> Iterator[re.Match[str]]:
    """Yield the matches that stand outside code."""
    spans = code_spans(text)
    for match in matches:
        at = bisect_right(spans, (match.start(), len(text))) - 1
        if at < 0 or match.start() >= spans[at][1]:
            yield match

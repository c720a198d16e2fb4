"""Calculations written in a text, done again: evidence that is laid before the reviewer, never a verdict (pure).

A calculation counts only where all that stands on both sides of its `=` is notation that is understood, and nothing
beside it can be part of it: no unit, no percentage, no date. Words mean nothing here, so that it serves every language.
"""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from nodes.judging.notation import NOTATION, Calculation, Token, Unclear, tokens

MAX_LINES = 3
"""Of evidence about one thread."""
MAX_CHECKED_CHARACTERS = 100_000
"""Of one text; what comes after is not looked at."""
MAX_MISTAKES = 100
"""Of one text."""
MAX_DECIMALS = 12
"""Looked at when a claim is rounded."""
MAX_WORDS_BETWEEN = 2
"""Words between a calculation and a figure before it that may join the two: `12 minus 5 + 3`."""
HALF_A_PERCENT = Fraction(1, 200)
_BULLET = re.compile(r"\s*(?:[-*+•◦‣▪●–>]\s+)*(?:\(?\w{1,3}[.)]\s+(?![-+−–]))?")
_ASKED = frozenset("!?؟")
"""After a figure: a factorial or a question, which claims nothing."""


class Sum(NamedTuple):
    """A calculation as it stands in a text."""

    written: str
    """As written, with single blanks."""
    value: Fraction
    """What it comes to."""
    claimed: Fraction
    """What the text says that it comes to."""
    calculation: str
    """The side that is worked out, as written."""
    claim: str
    """The other side, as written."""

    @property
    def near(self) -> bool:
        """Whether the claim is within half a percent of the value."""
        return abs(self.value - self.claimed) <= HALF_A_PERCENT * abs(self.value)

    @property
    def right(self) -> bool:
        """Whether the claim holds: rounded or cut at a digit that it shows, or near the value."""
        if self.near:
            return True
        for scale in (10**places for places in range(MAX_DECIMALS)):
            if (shown := self.claimed * scale).denominator == 1:
                return shown in (math.floor(self.value * scale), math.ceil(self.value * scale))
        return False


def sums(text: str) -> list[Sum]:
    """List the calculations in a text, in order."""
    return list(_sums(text))


def mistakes(text: str, given: str = "") -> list[Sum]:
    """List the calculations in a text that do not hold, each once, without those that it puts right further on.

    Args:
        text: What a thread wrote.
        given: What it was given; a calculation that stands there is quoted, not made.
    """
    wrong: dict[str, dict[str, Sum]] = {}
    for one in _sums(text):
        calculation = "".join(one.calculation.split())
        if one.right:
            wrong.pop(calculation, None)
        else:
            wrong.setdefault(calculation, {}).setdefault(one.written, one)
    told = islice((one for same in wrong.values() for one in same.values()), MAX_MISTAKES)
    return [one for one in told if not _occurs_in(given, one.written)]


def evidence(results: Sequence[tuple[str, str]], given: str = "") -> list[str]:
    """Say which calculations of which threads come out differently, such as `T2: 12 * 7 = 84, not 74`.

    Args:
        results: A thread's id and what it wrote.
        given: What the threads were given.
    """
    return [
        f"{id}: {one.calculation} = {_figure(one.value)}, not {one.claim}"
        for id, text in results
        for one in islice(mistakes(text, given), MAX_LINES)
    ]


def _occurs_in(given: str, written: str) -> bool:
    signs = r"\s{0,8}".join(re.escape(char) for char in written if not char.isspace())
    return re.search(rf"(?<![\d.,]){signs}(?!\d|[.,]\d)", given) is not None


def _figure(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 and abs(value) < 10**15 else f"{float(value):.10g}"


def _sums(text: str) -> Iterator[Sum]:
    for line in text[:MAX_CHECKED_CHARACTERS].splitlines():
        if "=" not in line and "＝" not in line:
            continue
        bullet = _BULLET.match(line)
        line = line[bullet.end() if bullet else 0 :]
        row = tokens(line)
        for place, token in enumerate(row):
            if token.kind == "eq" and (found := _Equality(line, row, place).read()):
                yield found


class _Equality:
    """A sign of equality and what stands on its sides."""

    def __init__(self, line: str, row: Sequence[Token], place: int) -> None:
        self._line, self._row = line, row
        self._left, self._right = _side(row, place, -1), _side(row, place, 1)
        self._first, self._after = place - len(self._left), place + len(self._right) + 1

    def read(self) -> Sum | None:
        """Read it with either decimal mark; `None` where not all of it is understood."""
        pieces = self._left + self._right
        signs = {char for piece in pieces if piece.kind == "currency" for char in piece.text.lstrip("\\")}
        if not self._left or not self._right or len(signs) > 1 or not _ends(self._row, self._after):
            return None
        self._unwrap()
        readings: dict[str, list[Sum]] = {}
        for mark in ".,":
            with suppress(Unclear):
                readings[mark] = list(self._work_out(mark))
        return _likeliest(readings, "".join(piece.text for piece in pieces if piece.kind == "number"))

    def _unwrap(self) -> None:
        """What stands both before and after all of it is no currency: `$2 + 3 = 5$`."""
        one, other = self._left[0], self._right[-1]
        if one.kind == other.kind == "currency" and one.text == other.text:
            self._left[0], self._right[-1] = one._replace(kind="markup"), other._replace(kind="markup")

    def _work_out(self, mark: str) -> Iterator[Sum]:
        one, other = Calculation(self._left, mark), Calculation(self._right, mark)
        if not one.steps and not other.steps:
            return
        if not _begins(self._line, self._row, self._first, self._left, plain=not one.steps):
            return
        left, right = self._as_written(self._left), self._as_written(self._right)
        if not one.steps:
            yield Sum(f"{left} = {right}", other.value, one.value, right, left)
            return
        yield Sum(f"{left} = {right}", one.value, other.value, left, right)
        if other.steps and self._after < len(self._row) and self._row[self._after].kind == "eq":
            # `2 + 3 = 5 * 2 = 10`, said in one breath, claims 5 and goes on from there.
            first = next(at for at, piece in enumerate(self._right) if piece.kind == "number") + 1
            with suppress(Unclear):
                claimed, right = Calculation(self._right[:first], mark).value, self._as_written(self._right[:first])
                yield Sum(f"{left} = {right}", one.value, claimed, left, right)

    def _as_written(self, side: Sequence[Token]) -> str:
        bare = [piece for piece in side if piece.kind != "markup"]
        return " ".join(self._line[bare[0].start : bare[-1].end].split())


def _likeliest(readings: Mapping[str, list[Sum]], figures: str) -> Sum | None:
    """Choose, of the readings with each decimal mark, one that holds.

    Where both are possible, `1,234` is rather a thousand: as a decimal fraction it must hold without any rounding.
    """
    every = [one for ones in readings.values() for one in ones]
    sure = [one for mark, ones in readings.items() if len(readings) == 1 or mark not in figures for one in ones]
    holding = [one for one in sure if one.right] or [one for one in every if one.near]
    return next(iter(holding or sure or every), None)


def _side(row: Sequence[Token], place: int, step: int) -> list[Token]:
    """List the pieces beside a sign of equality, up to what is no notation or opens a bracket around all of it."""
    depth, inwards, side = 0, "close" if step < 0 else "open", []
    at = place + step
    while 0 <= at < len(row) and row[at].kind in NOTATION:
        if row[at].kind in ("open", "close"):
            depth += 1 if row[at].kind == inwards else -1
        if depth < 0:
            break
        side.append(row[at])
        at += step
    return side[::step]


def _ends(row: Sequence[Token], at: int) -> bool:
    """Tell whether nothing after a claim can be part of it."""
    if at >= len(row):
        return True
    return row[at].kind in ("eq", "close") or (row[at].kind == "stop" and row[at].text not in _ASKED)


def _begins(line: str, row: Sequence[Token], first: int, side: Sequence[Token], *, plain: bool) -> bool:
    """Tell whether nothing before a calculation can be part of it.

    Args:
        line: Where it stands.
        row: The line's pieces.
        first: The place of the calculation's first one.
        side: The calculation's pieces.
        plain: Whether it is a mere figure, which a word before it may name.
    """
    words, at = 0, first - 1
    while at >= 0 and words <= MAX_WORDS_BETWEEN and row[at].kind not in ("stop", "eq", "open"):
        piece = row[at]
        if piece.kind not in ("word", "markup"):
            return False
        # A letter right before a figure names something, but scripts without cases often do without blanks.
        uncased = unicodedata.category(line[piece.end - 1]) == "Lo"
        if piece.kind == "word" and piece.end == row[first].start and not uncased:
            return False
        words += piece.kind == "word"
        at -= 1
    if not words:
        return True
    bare = [piece for piece in side if piece.kind not in ("markup", "currency")]
    named = bare[0].kind == "open" and bare[2].kind == "close"
    return not (plain or named or bare[0].kind == "op" or " " in bare[0].text)

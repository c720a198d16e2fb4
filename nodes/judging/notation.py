"""The notation of calculations, read without knowing any language: signs, figures of every script, what they come to.

Pure. What is no notation is named as such (`word`, `stop`, `other`), so that a reader can tell where notation ends.
"""

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

MAX_TOKENS = 60
"""Signs and figures on one side of a sign of equality."""
MAX_DIGITS = 40
"""Of one figure."""
MAX_BITS = 1000
"""Of what a calculation comes to on its way; a power that would be longer is not worked out."""
NOTATION = frozenset(("number", "op", "open", "close", "frac", "raised", "currency", "markup"))

_VULGAR = "¼-¾⅐-⅞↉"
_CURRENCY = "$¢-¥֏؋৲৳৻૱௹฿៛₠-⃏꠸﷼﹩"
_TOKEN = re.compile(
    rf"""
    (?P<date>\d{{4}}([-/.])\d\d?\2\d\d?(?!\d)|\d\d?([-/.])\d\d?\3\d{{4}}(?!\d)|0[xXbBoO][\da-fA-F])
    |(?P<number>(?:(?<![\w.,'])\.)?\d+(?:[.,'’_]\d+|[ \u202f]\d{{3}}(?!\d))*[{_VULGAR}]?|[{_VULGAR}])
    |(?P<raised>⁻?[⁰¹²³⁴-⁹]+)
    |(?P<eq>(?<![=<>!:~+\-*/%^|≠])&?=(?![=<>~]))
    |(?P<op>(?<=\d)[xXх](?=\d)|(?<=[\d)\]}}][ \u202f])[xXх](?=[ \u202f][\d(\[{_CURRENCY}])
        |(?<=[\d)\]}}])\*\*(?=[\d(\[{{])|(?<=[\d)\]}}][ \u202f])\*\*(?=[ \u202f][\d(\[{{])|\*(?!\*)|[-+/^]
        |\\(?:times|cdot|div)(?![a-zA-Z]))
    |(?P<markup>\*\*+|`+|\\(?:left|right|boxed)(?![a-zA-Z])|\\[,;:!\ ])
    |(?P<frac>\\[dt]?frac(?![a-zA-Z]))
    |(?P<stop>\\[()\[\]\\]|[|\u2190-\u21ff\u27f0-\u27ff])
    |(?P<open>[(\[{{])|(?P<close>[)\]}}])
    |(?P<currency>\\?[{_CURRENCY}]+)
    |(?P<word>[^\W\d_]+)
    |(?P<other>\S)
    """,
    re.VERBOSE,
)
_OPERATORS = {"x": "*", "X": "*", "х": "*", r"\times": "*", r"\cdot": "*", r"\div": "/", "**": "^"}
_SIGNS = {
    **dict.fromkeys("−–‐‑‒", "-"),
    **dict.fromkeys("×·⋅∙∗✕✖", "*"),
    **dict.fromkeys("÷∕", "/"),
    "٫": ",",
    "٬": "'",
    "\u3000": " ",
}
_NO_STOP = frozenset("#%&@\\§¶‰‱′″‴†‡")
"""What Unicode calls punctuation and what belongs to the figure beside it."""
_WHOLE = re.compile(r"0|[1-9]\d*|[1-9]\d{0,2}(?P<by>[.,'’_ \u202f])(?:\d{2,3}(?P=by))*\d{3}")
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


class Unclear(Exception):
    """What was to be worked out is not wholly understood."""


class Token(NamedTuple):
    """A piece of a line."""

    kind: str
    text: str
    start: int
    end: int


def tokens(line: str) -> list[Token]:
    """Cut a line into pieces; their places are those in the line as it was given."""
    plain = plain_signs(line)
    found: list[Token] = []
    for match in _TOKEN.finditer(plain):
        kind, text = match.lastgroup or "other", match.group()
        if kind == "date":
            kind = "other"
        elif kind == "other":
            kind = _kind(text, plain[match.end() : match.end() + 1], match.start(), found)
        if kind == "word" and found and found[-1].kind == "word" and found[-1].end == match.start():
            found[-1] = found[-1]._replace(text=found[-1].text + text, end=match.end())
        else:
            found.append(Token(kind, _OPERATORS.get(text, text), *match.span()))
    return found


def plain_signs(text: str) -> str:
    """Return a text of the same length with figures of every script, kinds of minus and full-width signs made plain."""
    return re.sub(r"[^\x00-\x7f]", lambda match: _plain(match.group()), text)


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    """Return the plain sign for a sign, one for one: figures of all scripts, full width, kinds of minus and blanks."""
    digit, category = unicodedata.decimal(char, None), unicodedata.category(char)
    if char in _SIGNS or digit is not None:
        return _SIGNS.get(char, str(digit))
    if "！" <= char <= "～":
        return chr(ord(char) - 0xFEE0)
    if category == "Zs":
        return "\u202f"
    return " " if category == "Cf" else char


def _kind(char: str, following: str, start: int, before: Sequence[Token]) -> str:
    """Tell what a sign that is no notation is: the end of something, part of a word, or not known."""
    category = unicodedata.category(char)
    if category.startswith("M"):
        return "word"
    if category not in ("Po", "Pi", "Pf", "Pd") or char in _NO_STOP or (char in ".,:;'’" and following.isdigit()):
        return "other"
    # After a figure, a dash may be a minus, and a colon that stands apart may divide.
    figure = bool(before) and before[-1].kind in ("number", "close")
    apart = category == "Pd" or (char == ":" and figure and before[-1].end < start)
    return "other" if figure and apart else "stop"


class Calculation:
    """What a row of pieces comes to, worked out exactly.

    Args:
        pieces: Of the kinds in `NOTATION`.
        mark: The decimal mark, `.` or `,`; the other one then parts thousands.
    """

    def __init__(self, pieces: Sequence[Token], mark: str) -> None:
        self._row = [piece for piece in pieces if piece.kind not in ("markup", "currency")]
        self._joined = {one.start for before, one in pairwise(pieces) if before.end == one.start}
        self._mark, self._at, self.steps = mark, 0, 0
        if len(self._row) > MAX_TOKENS:
            raise Unclear
        try:
            self.value = self._sum()
        except ZeroDivisionError as error:
            raise Unclear from error
        if self._at < len(self._row):
            raise Unclear

    def _next(self, kind: str, texts: str = "") -> Token | None:
        """Take the next piece if it is of a kind and, where texts are named, one of them."""
        piece = self._row[self._at] if self._at < len(self._row) else None
        if piece is None or piece.kind != kind or (texts and piece.text not in texts):
            return None
        self._at += 1
        return piece

    def _step(self, value: Fraction) -> Fraction:
        self.steps += 1
        if value.numerator.bit_length() + value.denominator.bit_length() > MAX_BITS:
            raise Unclear
        return value

    def _sum(self) -> Fraction:
        value = self._product()
        while sign := self._next("op", "+-"):
            self._refuse_range(sign)
            other = self._product()
            value = self._step(value + other if sign.text == "+" else value - other)
        return value

    def _refuse_range(self, sign: Token) -> None:
        """`5-7` without blanks may be a range."""
        row, place = self._row, self._at - 1
        if sign.text != "-" or self._at == len(row) or {row[place - 1].kind, row[place + 1].kind} != {"number"}:
            return
        one, other = row[place - 1], row[place + 1]
        tight = {sign.start, other.start} <= self._joined
        if tight and read_number(one.text, self._mark) < read_number(other.text, self._mark):
            raise Unclear

    def _product(self) -> Fraction:
        value = self._read_signed()
        while sign := self._next("op", "*/"):
            other = self._read_signed()
            value = self._step(value * other if sign.text == "*" else value / other)
        return value

    def _read_signed(self) -> Fraction:
        sign = self._next("op", "+-")
        if sign is None:
            return self._power()[0]
        value, raised = self._power()
        # Whether the minus of `-2^2` belongs to the base, calculators do not agree; one that stands apart has no base.
        if raised or sign.end not in self._joined:
            raise Unclear
        return value if sign.text == "+" else -value

    def _power(self) -> tuple[Fraction, bool]:
        base = self._single()
        if raised := self._next("raised"):
            exponent = Fraction(_int(raised.text.translate(_RAISED)))
        elif self._next("op", "^"):
            sign = -1 if self._next("op", "-") else 1
            exponent = sign * self._single()
        else:
            return base, False
        size = max(base.numerator.bit_length(), base.denominator.bit_length())
        if exponent.denominator != 1 or abs(exponent) > MAX_BITS or abs(exponent) * size > MAX_BITS:
            raise Unclear
        return self._step(base ** int(exponent)), True

    def _single(self) -> Fraction:
        if number := self._next("number"):
            return read_number(number.text, self._mark)
        if self._next("frac"):
            return self._step(self._single() / self._single())
        if self._next("open"):
            value = self._sum()
            if self._next("close"):
                return value
        raise Unclear


def read_number(text: str, mark: str) -> Fraction:
    """Read a figure with a decimal mark.

    Raises:
        Unclear: It is none with this mark.
    """
    vulgar = Fraction(0)
    if re.fullmatch(f"[{_VULGAR}]", text[-1]):
        vulgar, text = Fraction(unicodedata.numeric(text[-1])).limit_denominator(10), text[:-1]
    whole, found, decimals = text.partition(mark)
    if not _WHOLE.fullmatch(whole or "0") or (found and not decimals.isdecimal()):
        raise Unclear
    digits = re.sub(r"\D", "", whole)
    return Fraction(_int(digits + decimals), 10 ** len(decimals)) + vulgar


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Unclear
    return int(digits or "0")

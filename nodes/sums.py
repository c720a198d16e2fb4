"""Calculations written in a text, done again in plain code: the one claim that takes no model to be judged (pure).

Only what stands as `numbers and signs = number` counts, in digits; a calculation with anything else in it (units
between the numbers, percentages, letters) is left to the reviewer.
"""

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import NamedTuple

_NUMBER = r"[$€£]?\d(?:[\d,]{0,20}\d)?(?:\.\d{1,20})?"
_SIGN = r"[-−+*×x÷/]"
_SUM = re.compile(
    rf"(?<![\w.,:^)(])(?P<left>[( ]{{0,8}}-?{_NUMBER}(?:[ ()]{{0,8}}{_SIGN}[ ()]{{0,8}}{_NUMBER}){{1,20}}[ )]{{0,8}}?)"
    rf" {{0,8}}(?P<verb>=|\bis\b|\bare\b|\bequals\b|\bgives\b) {{0,8}}(?P<right>[-−]?{_NUMBER})"
    rf"(?![\w%]|[.,]\d| {{0,8}}[-−+*×÷/^%(])"
)
_UNFINISHED = re.compile(rf"(?:{_SIGN}|[%^(]) {{0,8}}$")
"""What before a calculation says that it is only the end of one."""
_TIGHT = re.compile(r"\d[-−/]")
"""A range or a date, where no sign of equality follows."""
_MARKUP = ((r"\times", "×"), (r"\cdot", "×"), (r"\div", "÷"), ("\\", ""), ("**", ""))
_SIGNS = str.maketrans({"−": "-", "×": "*", "x": "*", "÷": "/", "$": None, "€": None, "£": None, ",": None})
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class Sum(NamedTuple):
    """A calculation as it stands in a text."""

    written: str
    """As written, with single blanks."""
    operands: list[float]
    value: float
    """What it comes to."""
    claimed: float
    """What the text says that it comes to."""

    @property
    def right(self) -> bool:
        """Whether the claim holds, rounded or cut off as the text has it."""
        return close(self.value, self.claimed)


def sums(text: str) -> list[Sum]:
    """List the calculations in a text, in order."""
    for written, sign in _MARKUP:
        text = text.replace(written, sign)
    found = []
    for match in _SUM.finditer(text):
        left = match["left"].strip()
        if left.count("(") > left.count(")"):
            left = left.lstrip("( ")
        if _UNFINISHED.search(text, max(0, match.start() - 10), match.start()):
            continue
        if match["verb"] != "=" and _TIGHT.search(left):
            continue
        value = _value(left)
        if value is not None:
            operands = [_number(number) for number in re.findall(_NUMBER, left)]
            written = " ".join(match.group().split())
            found.append(Sum(written, operands, value, _number(match["right"])))
    return found


def close(value: float, claimed: float) -> bool:
    """Tell whether a claim is a value, rounded or cut off at any digit that it shows, or within half a percent."""
    return abs(value - claimed) <= 0.005 * abs(value) or (claimed == int(claimed) and claimed in _whole(value))


def _whole(value: float) -> tuple[int, int]:
    return math.floor(value), math.ceil(value)


def mistakes(text: str, given: str = "") -> list[Sum]:
    """List the calculations in a text that do not hold, each once.

    Args:
        text: What a thread wrote.
        given: What it was given; a calculation that stands there is quoted, not made.
    """
    quoted = {one.written for one in sums(given)}
    wrong = {one.written: one for one in sums(text) if not one.right and one.written not in quoted}
    return list(wrong.values())


def numbers(text: str) -> list[float]:
    """List the numbers in a text, in order."""
    return [_number(found) for found in re.findall(rf"(?<![\w.]){_NUMBER}", text)]


def _number(text: str) -> float:
    return float(text.translate(_SIGNS).replace(" ", ""))


def _value(left: str) -> float | None:
    try:
        value = _walk(ast.parse(left.translate(_SIGNS), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _walk(node: ast.expr) -> float:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_walk(node.left), _walk(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_walk(node.operand)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    raise ValueError("not a sum")

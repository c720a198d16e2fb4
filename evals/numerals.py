"""Numbers in a text, by value (pure)."""

import re

TOLERANCE = 0.005
"""Relative; answers are rounded in different ways."""
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:,\d{3})*(?:\.\d+)?|(?<=\$)\d[\d,]*(?:\.\d+)?")


def number(text: str) -> float | None:
    """Read a text that is one number."""
    whole = _NUMBER.fullmatch(text.strip().lstrip("$"))
    return _value(whole.group()) if whole else None


def numbers(text: str) -> list[float]:
    """List the numbers in a text, in order."""
    return [_value(found) for found in _NUMBER.findall(text)]


def same(one: float, other: float) -> bool:
    """Tell whether two numbers are the same answer."""
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))


def _value(found: str) -> float:
    return float(found.replace(",", "").replace("−", "-"))

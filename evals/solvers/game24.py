"""Game of 24: puzzles made by code, and the exact check of an answer (pure).

The game as a test of searches: S. Yao et al., "Tree of Thoughts: Deliberate Problem Solving with Large Language
Models", NeurIPS 2023. Its rule is all that the check knows; there is no list of right answers.
"""

import ast
import operator
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations

from evals.item import Item

TARGET = 24
LARGEST = 13
"""Of the numbers of a puzzle."""
MAX_STARTS = 100
"""Places of a line that are tried as the beginning of its expression."""
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "[": "(", "]": ")", "`": " ", "$": " "})
_SUMS: dict[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def make_puzzles(count: int, seed: int) -> list[Item]:
    """Make puzzles that can be solved, the same ones for the same seed."""
    rng, found = random.Random(seed), dict[tuple[int, ...], None]()
    while len(found) < count:
        numbers = tuple(sorted(rng.randint(1, LARGEST) for _ in range(4)))
        if is_solvable([Fraction(number) for number in numbers]):
            found[numbers] = None
    return [_item(numbers) for numbers in found]


def is_solvable(numbers: Sequence[Fraction]) -> bool:
    """Tell whether numbers can be brought to 24, each used once."""
    if len(numbers) == 1:
        return numbers[0] == TARGET
    for first, second in combinations(range(len(numbers)), 2):
        rest = [number for place, number in enumerate(numbers) if place not in (first, second)]
        if any(is_solvable([*rest, one]) for one in _results(numbers[first], numbers[second])):
            return True
    return False


def _results(one: Fraction, other: Fraction) -> Iterator[Fraction]:
    yield from (one + other, one - other, other - one, one * other)
    if other:
        yield one / other
    if one:
        yield other / one


def is_right(question: str, answer: str) -> bool:
    """Tell whether a line of an answer ends with an expression that makes 24 of the numbers of a puzzle.

    Args:
        question: As `make_puzzles` words it.
        answer: What was answered.
    """
    numbers = Counter(int(word) for word in question.split(":")[1].split(".")[0].split())
    return any(_makes(line, numbers) for line in answer.splitlines())


def _makes(line: str, numbers: Counter[int]) -> bool:
    text = line.replace("\\(", " ").replace("\\)", " ").translate(_SIGNS).partition("=")[0].rstrip(" .*")
    # What stands before the expression are words, which may hold figures, too.
    starts = [place for place, sign in enumerate(text) if sign in "(0123456789"][:MAX_STARTS]
    return any(_is_sum(text[place:], numbers) for place in starts)


def _is_sum(text: str, numbers: Counter[int]) -> bool:
    try:
        tree = ast.parse(text, mode="eval").body
        used = Counter(node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        return used == numbers and _value(tree) == TARGET
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError, TypeError):
        return False


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            return Fraction(value)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _SUMS:
            return _SUMS[type(op)](_value(left), _value(right))
    raise ValueError("this is no sum of whole numbers")


def _item(numbers: Sequence[int]) -> Item:
    told = " ".join(map(str, numbers))
    question = (
        f"Make {TARGET} of these numbers: {told}. Use each exactly once, with +, -, *, / and brackets. "
        "The answer is the expression."
    )
    return Item(id=f"game24-{'-'.join(map(str, numbers))}", dataset="game24", question=question)

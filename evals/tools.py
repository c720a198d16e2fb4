"""Tools for questions that ask for look-ups and sums, such as ParallelQA's: a calculator and a small table of facts.

What stands in the table (`evals/datasets/facts.json`) is common knowledge: the heights, depths, areas, lengths and
populations that ParallelQA's questions are about.
"""

import ast
import json
import operator
from collections.abc import Callable
from functools import cache
from pathlib import Path

FACTS = Path(__file__).parent / "datasets" / "facts.json"
MAX_EXPRESSION_CHARACTERS = 500
_SIGNS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def calculate(expression: str) -> str:
    """Work out an expression of numbers with +, -, *, / and brackets, such as (8848 - 8611) * 1.5."""
    if len(expression) > MAX_EXPRESSION_CHARACTERS:
        raise ValueError(f"an expression has at most {MAX_EXPRESSION_CHARACTERS} characters")
    return f"{_value(ast.parse(expression.strip(), mode='eval').body):.10g}"


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
        return _SIGNS[type(node.op)](_value(node.left), _value(node.right))
    raise ValueError("only numbers, +, -, *, / and brackets can be worked out")


def look_up(name: str) -> str:
    """Look up one place, building, animal or country by its name: how high, deep, long, large, fast or populous."""
    known = _facts()
    found = known.get(_plain(name))
    if found is None:
        raise LookupError(f"nothing is known of {name!r}")
    return found


@cache
def _facts() -> dict[str, str]:
    return {_plain(name): fact for name, fact in json.loads(FACTS.read_text(encoding="utf-8")).items()}


def _plain(name: str) -> str:
    words = name.casefold().split()
    return " ".join(word for word in words if word not in ("the", "statue"))


TOOLS = (calculate, look_up)

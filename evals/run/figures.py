"""How figures are written in the tables, and what they compare (pure)."""

import math
from collections.abc import Callable, Iterable, Sequence

from evals.intervals import Mean
from evals.run.row import Row
from evals.run.store import Cell

Pair = tuple[Row, Row]
"""An item's row, and the one that it is compared with."""
NONE = "–"


def cell_name(cell: Cell) -> str:
    """Name a cell's data."""
    return f"{cell.dataset} ({cell.half})" if cell.half else cell.dataset


def pairs_of(cell: Cell, base: Cell) -> list[Pair]:
    """Pair the rows of the same items."""
    known = {row.id: row for row in base.rows}
    return [(row, known[row.id]) for row in cell.rows if row.id in known]


def gains(pairs: Iterable[Pair]) -> list[float]:
    """List by how much the score of each item is better."""
    return [row.score - base.score for row, base in pairs if row.score is not None and base.score is not None]


def ratios(pairs: Sequence[Pair], of: Callable[[Row], float]) -> str:
    """Ratio of means, then mean of ratios: the two differ where some items are much longer than others."""
    each = [of(row) / of(base) for row, base in pairs if of(base) and of(row)]
    return f"{ratio_of_means(pairs, of)} · {sum(each) / len(each):.2f}" if each else NONE


def ratio_of_means(pairs: Sequence[Pair], of: Callable[[Row], float]) -> str:
    """Ratio of means alone."""
    below = sum(of(base) for _, base in pairs)
    return f"{sum(of(row) for row, _ in pairs) / below:.2f}" if below else NONE


def share(values: Iterable[bool]) -> str:
    """Share of what is so, with the number of all."""
    known = list(values)
    return f"{sum(known) / len(known):.0%} of {len(known)}" if known else NONE


def average(values: Iterable[float], digits: int = 1) -> str:
    """Mean without an interval."""
    known = list(values)
    return f"{sum(known) / len(known):.{digits}f}" if known else NONE


def figure(value: float) -> str:
    """One figure."""
    return NONE if math.isnan(value) else f"{value:.2f}"


def mean(of: Mean, sign: str = "") -> str:
    """Mean with its interval."""
    figures = [f"{value:{sign}.2f}" for value in of]
    return NONE if math.isnan(of.mean) else f"{figures[0]} ({figures[1]}{' to ' if sign else '–'}{figures[2]})"


def markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Write a table; empty without lines."""
    if not lines:
        return ""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)

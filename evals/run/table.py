"""The tables of all results kept, as Markdown (pure, save for reading them)."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from evals.intervals import Mean, bootstrap, decision, resampled, wilson
from evals.run.row import Row
from evals.run.store import Cell, load_cells
from evals.run.variants import VARIANTS

ORDER = list(VARIANTS)
NO_ANSWER = ("gate", "plan", "review")
COMPARED = {
    "adaptive": "sequential",
    **dict.fromkeys(("always-parallel", "no-review", "unscoped", "self-consistency"), "adaptive"),
}
"""What each variant is compared with, item by item."""


def tables(folder: Path) -> str:
    """Write all tables."""
    cells = sorted(load_cells(folder), key=lambda cell: (cell.dataset, cell.half or "", ORDER.index(cell.variant)))
    parts = [_answers(cells), _worth(cells), _structure(cells), _scope(cells), _reviewer(cells)]
    return "\n\n".join(part for part in parts if part) or "No results yet."


def _answers(cells: Sequence[Cell]) -> str:
    """Quality and cost of answers, against the single call on the same items."""
    heads = [
        "dataset",
        "variant",
        "n",
        "score (95 %)",
        "judged",
        "failed",
        "token latency",
        "of threads end to end",
        "wall",
        "tokens",
        "threads",
        "rounds",
    ]
    base = {(cell.dataset, cell.half, cell.model): cell for cell in cells if cell.variant == "sequential"}
    lines = []
    for cell in cells:
        if cell.variant in NO_ANSWER or not cell.rows:
            continue
        scores = [row.score for row in cell.rows if row.score is not None]
        beside = base.get((cell.dataset, cell.half, cell.model))
        pairs = _pairs(cell, beside) if beside else []
        lines.append(
            [
                _name(cell),
                cell.variant,
                str(len(cell.rows)),
                _mean(bootstrap(scores)) if scores else "–",
                _average((row.judged for row in cell.rows if row.judged is not None), 2),
                str(sum(bool(row.error) for row in cell.rows)),
                _ratios(pairs, lambda row: row.critical_path_tokens),
                _of_end_to_end(cell.rows),
                # Items that run beside others take longer, so only cells of the same concurrency compare.
                _ratios(pairs, lambda row: row.wall_s) if beside and cell.concurrency == beside.concurrency else "–",
                _ratio_of_means(pairs, lambda row: row.total),
                _average(row.threads for row in cell.rows),
                _average(row.rounds for row in cell.rows),
            ]
        )
    return _table(heads, lines)


def _worth(cells: Sequence[Cell]) -> str:
    """What each idea is worth: pairs of runs on the same items of all datasets, where the two differ."""
    heads = ["model", "variant", "against", "items", "of them other", "score: other minus (95 %)"]
    heads += ["better · worse", "token latency", "wall", "tokens"]
    found = {(cell.model, cell.half, cell.dataset, cell.variant): cell for cell in cells}
    lines = []
    for model, half in sorted({(cell.model, cell.half or "") for cell in cells}):
        for variant, against in COMPARED.items():
            beside = [
                (cell, base)
                for (of, part, dataset, name), cell in found.items()
                if (of, part or "", name) == (model, half, variant)
                and (base := found.get((of, part, dataset, against)))
            ]
            pairs = [pair for cell, base in beside for pair in _pairs(cell, base)]
            other = _other(pairs)
            timed = _other(
                pair for cell, base in beside if cell.concurrency == base.concurrency for pair in _pairs(cell, base)
            )
            gains = [row.score - base.score for row, base in other if row.score is not None and base.score is not None]
            if pairs:
                lines.append(
                    [
                        f"{model} ({half})" if half else model,
                        *(variant, against, str(len(pairs)), str(len(other))),
                        _mean(resampled(gains), sign="+"),
                        f"{sum(gain > 0 for gain in gains)} · {sum(gain < 0 for gain in gains)}",
                        _ratios(other, lambda row: row.critical_path_tokens),
                        _ratios(timed, lambda row: row.wall_s),
                        _ratio_of_means(other, lambda row: row.total),
                    ]
                )
    return _table(heads, lines)


def _other(pairs: Iterable[tuple[Row, Row]]) -> list[tuple[Row, Row]]:
    """Keep the pairs that differ: an ablation that changes nothing on an item is the same run, to the token."""
    return [(row, base) for row, base in pairs if (row.total, row.wall_s) != (base.total, base.wall_s)]


def _structure(cells: Sequence[Cell]) -> str:
    """The gate and the plans."""
    heads = ["dataset", "variant", "n", "split (95 %)", "balanced accuracy", "F1", "false splits", "valid as written"]
    heads += ["valid after repair", "threads exact", "within 1"]
    lines = []
    for cell in cells:
        if cell.variant not in ("gate", "plan", "adaptive", "always-parallel"):
            continue
        # What failed said neither yes nor no: it stays in the count, as a no.
        judged = [row for row in cell.rows if row.parallel is not None]
        split = [bool(row.split) for row in judged]
        truth = [bool(row.parallel) for row in judged]
        gate = decision(split, truth) if cell.variant != "always-parallel" and judged else None
        plans = [row for row in cell.rows if row.valid is not None]
        counted = [row for row in cell.rows if row.threads_wanted and row.parallel and row.valid is not None]
        lines.append(
            [
                _name(cell),
                cell.variant,
                str(len(cell.rows)),
                _mean(wilson(sum(split), len(split))) if gate else "–",
                _figure(gate.balanced_accuracy) if gate else "–",
                _figure(gate.f1) if gate else "–",
                _figure(gate.false_positives) if gate else "–",
                _share(row.valid is True and not row.mended for row in plans),
                _share(row.valid is True for row in plans),
                _share(row.threads == row.threads_wanted for row in counted),
                _share(abs(row.threads - (row.threads_wanted or 0)) <= 1 for row in counted),
            ]
        )
    return _table(heads, lines)


def _scope(cells: Sequence[Cell]) -> str:
    """Which documents the threads were given."""
    lines = []
    for cell in cells:
        rows = [row for row in cell.rows if row.needed is not None]
        if rows:
            needless = [row.needless for row in rows if row.needless is not None]
            needed = _average((row.needed or 0.0 for row in rows), 2)
            lines.append([_name(cell), cell.variant, str(len(rows)), needed, _average(needless, 2)])
    return _table(["dataset", "variant", "plans", "needed documents given", "needless documents given"], lines)


def _reviewer(cells: Sequence[Cell]) -> str:
    """What the reviewer found of what was planted."""
    heads = ["dataset", "n", "errors found (recall)", "contradictions found", "precision", "false alarms a clean item"]
    lines = []
    for cell in cells:
        if cell.variant != "review":
            continue
        wrong, pairs = sum(row.wrong for row in cell.rows), sum(row.contradictions for row in cell.rows)
        found = [sum(row.wrong_found for row in cell.rows), sum(row.contradictions_found for row in cell.rows)]
        alarms = sum(row.false_alarms for row in cell.rows)
        clean = [row for row in cell.rows if not row.wrong and not row.contradictions]
        lines.append(
            [
                _name(cell),
                str(len(cell.rows)),
                _mean(wilson(found[0], wrong)),
                _mean(wilson(found[1], pairs)),
                _mean(wilson(sum(found), sum(found) + alarms)),
                _average((row.false_alarms for row in clean), 2),
            ]
        )
    return _table(heads, lines)


def _name(cell: Cell) -> str:
    return f"{cell.dataset} ({cell.half})" if cell.half else cell.dataset


def _pairs(cell: Cell, base: Cell) -> list[tuple[Row, Row]]:
    known = {row.id: row for row in base.rows}
    return [(row, known[row.id]) for row in cell.rows if row.id in known]


def _ratios(pairs: Sequence[tuple[Row, Row]], of: Callable[[Row], float]) -> str:
    """Ratio of means, then mean of ratios: the two differ where some items are much longer than others."""
    each = [of(row) / of(base) for row, base in pairs if of(base) and of(row)]
    return f"{_ratio_of_means(pairs, of)} · {sum(each) / len(each):.2f}" if each else "–"


def _ratio_of_means(pairs: Sequence[tuple[Row, Row]], of: Callable[[Row], float]) -> str:
    below = sum(of(base) for _, base in pairs)
    return f"{sum(of(row) for row, _ in pairs) / below:.2f}" if below else "–"


def _of_end_to_end(rows: Sequence[Row]) -> str:
    """Token latency of the runs that split, as a share of what their threads wrote, one after another."""
    split = [row for row in rows if row.threads > 1 and row.end_to_end_tokens]
    chain = sum(row.end_to_end_tokens for row in split)
    return f"{sum(row.critical_path_tokens for row in split) / chain:.2f}" if chain else "–"


def _share(values: Iterable[bool]) -> str:
    known = list(values)
    return f"{sum(known) / len(known):.0%} of {len(known)}" if known else "–"


def _average(values: Iterable[float], digits: int = 1) -> str:
    known = list(values)
    return f"{sum(known) / len(known):.{digits}f}" if known else "–"


def _figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _mean(mean: Mean, sign: str = "") -> str:
    figures = [f"{value:{sign}.2f}" for value in mean]
    return "–" if math.isnan(mean.mean) else f"{figures[0]} ({figures[1]}{' to ' if sign else '–'}{figures[2]})"


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)

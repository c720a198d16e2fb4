"""Whether a split pays: adaptive against one call on the same items, a line for each dataset (pure)."""

from collections.abc import Sequence

from evals.intervals import ratio, resample
from evals.run.figures import NONE, Pair, average, cell_name, gains, markdown, mean, pairs_of, ratio_of_means
from evals.run.row import Row
from evals.run.store import Cell

WORK = ("solve", "direct")
"""Stages that write what was asked for; what all others write is control."""
HEADS = ["dataset", "n", "token latency, adaptive / one call (95 %)", "score", "one call's", "difference (95 %)"]
HEADS += ["wall", "tokens", "control share", "written (read) by stage, mean"]


def pays(cells: Sequence[Cell]) -> str:
    """Write the table."""
    base = {(cell.dataset, cell.half, cell.model): cell for cell in cells if cell.variant == "sequential"}
    lines = []
    for cell in cells:
        beside = base.get((cell.dataset, cell.half, cell.model))
        pairs = pairs_of(cell, beside) if beside and cell.variant == "adaptive" else []
        if beside and pairs:
            lines.append(_line(cell, pairs, timed=cell.concurrency == beside.concurrency))
    return markdown(HEADS, lines)


def _line(cell: Cell, pairs: Sequence[Pair], *, timed: bool) -> list[str]:
    # What broke off before anything was counted would pass for quick.
    counted = [pair for pair in pairs if all(row.critical_path_tokens for row in pair)]
    scored = [(row.score, base.score) for row, base in pairs if row.score is not None and base.score is not None]
    rows = [row for row, _ in pairs]
    return [
        cell_name(cell),
        str(len(pairs)),
        mean(ratio([(row.critical_path_tokens, base.critical_path_tokens) for row, base in counted])),
        average((score for score, _ in scored), 2),
        average((score for _, score in scored), 2),
        mean(resample(gains(pairs)), sign="+"),
        # Items that run beside others take longer, so only cells of the same concurrency compare.
        ratio_of_means(counted, lambda row: row.wall_s) if timed else NONE,
        ratio_of_means(counted, lambda row: row.total),
        _control(rows),
        _stages(rows),
    ]


def _control(rows: Sequence[Row]) -> str:
    written = [(name, stage.output) for row in rows for name, stage in row.stages.items()]
    total = sum(tokens for _, tokens in written)
    return f"{sum(tokens for name, tokens in written if name not in WORK) / total:.0%}" if total else NONE


def _stages(rows: Sequence[Row]) -> str:
    """Write what a run of each stage writes and reads, on the mean over the runs that come to it."""
    told = []
    for name in dict.fromkeys(name for row in rows for name in row.stages):
        own = [row.stages[name] for row in rows if name in row.stages]
        written, read = (average((stage[kind] for stage in own), 0) for kind in ("output", "input"))
        told.append(f"{name} {written} ({read})")
    return " · ".join(told) or NONE

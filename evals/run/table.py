"""The tables of all results kept, as Markdown (pure, save for reading them)."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from evals.intervals import bootstrap, decision, resample, wilson
from evals.run.figures import (
    average,
    cell_name,
    figure,
    gains,
    markdown,
    mean,
    pairs_of,
    ratio_of_means,
    ratios,
    share,
)
from evals.run.pays import pays
from evals.run.row import Row
from evals.run.store import Cell, load_cells
from evals.run.variants import REVIEWERS, VARIANTS

ORDER = list(VARIANTS)
NO_ANSWER = ("gate", "plan", *REVIEWERS)
COMPARED = {
    "adaptive": "sequential",
    **dict.fromkeys(("always-parallel", "no-review", "unscoped", "self-consistency"), "adaptive"),
}
"""What each variant is compared with, item by item."""


def tables(folder: Path) -> str:
    """Write all tables."""
    cells = sorted(load_cells(folder), key=lambda cell: (cell.dataset, cell.half or "", ORDER.index(cell.variant)))
    parts = [table(cells) for table in (pays, _answers, _worth, _structure, _shapes, _lengths, _scope, _reviewer)]
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
        pairs = pairs_of(cell, beside) if beside else []
        lines.append(
            [
                cell_name(cell),
                cell.variant,
                str(len(cell.rows)),
                mean(bootstrap(scores)) if scores else "–",
                average((row.judged for row in cell.rows if row.judged is not None), 2),
                str(sum(bool(row.error) for row in cell.rows)),
                ratios(pairs, lambda row: row.critical_path_tokens),
                _of_end_to_end(cell.rows),
                # Items that run beside others take longer, so only cells of the same concurrency compare.
                ratios(pairs, lambda row: row.wall_s) if beside and cell.concurrency == beside.concurrency else "–",
                ratio_of_means(pairs, lambda row: row.total),
                average(row.threads for row in cell.rows),
                average(row.rounds for row in cell.rows),
            ]
        )
    return markdown(heads, lines)


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
            pairs = [pair for cell, base in beside for pair in pairs_of(cell, base)]
            other = _other(pairs)
            timed = _other(
                pair for cell, base in beside if cell.concurrency == base.concurrency for pair in pairs_of(cell, base)
            )
            better = gains(other)
            if pairs:
                lines.append(
                    [
                        f"{model} ({half})" if half else model,
                        *(variant, against, str(len(pairs)), str(len(other))),
                        mean(resample(better), sign="+"),
                        f"{sum(gain > 0 for gain in better)} · {sum(gain < 0 for gain in better)}",
                        ratios(other, lambda row: row.critical_path_tokens),
                        ratios(timed, lambda row: row.wall_s),
                        ratio_of_means(other, lambda row: row.total),
                    ]
                )
    return markdown(heads, lines)


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
                cell_name(cell),
                cell.variant,
                str(len(cell.rows)),
                mean(wilson(sum(split), len(split))) if gate else "–",
                figure(gate.balanced_accuracy) if gate else "–",
                figure(gate.f1) if gate else "–",
                figure(gate.false_positives) if gate else "–",
                share(row.valid is True and not row.mended for row in plans),
                share(row.valid is True for row in plans),
                share(row.threads == row.threads_wanted for row in counted),
                share(abs(row.threads - (row.threads_wanted or 0)) <= 1 for row in counted),
            ]
        )
    return markdown(heads, lines)


def _shapes(cells: Sequence[Cell]) -> str:
    """Parts and which needs which, against the known ones."""
    heads = ["dataset", "variant", "n", "parts: known, found, matched", "at the widest level: known, found"]
    heads += ["what a part needs: right of found", "found of known"]
    lines = []
    for cell in cells:
        shapes = [row.shape for row in cell.rows if row.shape]
        if shapes:
            parts = [average(one[f"parts_{kind}"] for one in shapes) for kind in ("wanted", "found", "matched")]
            widest = [average(one[f"widest_{kind}"] for one in shapes) for kind in ("wanted", "found")]
            wanted, found, right = (
                sum(one[f"needs_{kind}"] for one in shapes) for kind in ("wanted", "found", "right")
            )
            counts = [", ".join(parts), ", ".join(widest), mean(wilson(right, found)), mean(wilson(right, wanted))]
            lines.append([cell_name(cell), cell.variant, str(len(shapes)), *counts])
    return markdown(heads, lines)


def _lengths(cells: Sequence[Cell]) -> str:
    """Words of what was to be of some length."""
    lines = []
    for cell in cells:
        rows = [row for row in cell.rows if row.words_wanted]
        if rows:
            words = [average((row.words_wanted or 0 for row in rows), 0), average((row.words for row in rows), 0)]
            lines.append([cell_name(cell), cell.variant, str(len(rows)), *words])
    return markdown(["dataset", "variant", "n", "words asked for, mean", "written"], lines)


def _scope(cells: Sequence[Cell]) -> str:
    """Which documents the threads were given."""
    lines = []
    for cell in cells:
        rows = [row for row in cell.rows if row.needed is not None]
        if rows:
            needless = [row.needless for row in rows if row.needless is not None]
            needed = average((row.needed or 0.0 for row in rows), 2)
            lines.append([cell_name(cell), cell.variant, str(len(rows)), needed, average(needless, 2)])
    return markdown(["dataset", "variant", "plans", "needed documents given", "needless documents given"], lines)


def _reviewer(cells: Sequence[Cell]) -> str:
    """What the reviewer found of what was planted."""
    heads = ["dataset", "variant", "n", "errors found (recall)", "contradictions found", "precision"]
    heads += ["false alarms a clean item", "tokens written, mean"]
    lines = []
    for cell in cells:
        if cell.variant not in REVIEWERS:
            continue
        wrong, pairs = sum(row.wrong for row in cell.rows), sum(row.contradictions for row in cell.rows)
        found = [sum(row.wrong_found for row in cell.rows), sum(row.contradictions_found for row in cell.rows)]
        alarms = sum(row.false_alarms for row in cell.rows)
        clean = [row for row in cell.rows if not row.wrong and not row.contradictions]
        lines.append(
            [
                cell_name(cell),
                cell.variant,
                str(len(cell.rows)),
                mean(wilson(found[0], wrong)),
                mean(wilson(found[1], pairs)),
                mean(wilson(sum(found), sum(found) + alarms)),
                average((row.false_alarms for row in clean), 2),
                average((row.output for row in cell.rows), 0),
            ]
        )
    return markdown(heads, lines)


def _of_end_to_end(rows: Sequence[Row]) -> str:
    """Token latency of the runs that split, as a share of what their threads wrote, one after another."""
    split = [row for row in rows if row.threads > 1 and row.end_to_end_tokens]
    chain = sum(row.end_to_end_tokens for row in split)
    return f"{sum(row.critical_path_tokens for row in split) / chain:.2f}" if chain else "–"

"""One run of the command: cell after cell, items side by side, every result on disk as soon as it is there."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.item import Half, Item
from evals.items import OURS, load_items, sample
from evals.run.forks import Runs, open_runs
from evals.run.judge import Judge
from evals.run.row import Row, describe_structure
from evals.run.store import Cell, StoreError, commit, prompt_labels, resume_cell, save
from evals.run.variants import REVIEWERS, VARIANTS, Variant, answer
from nodes.llm.replies.errors import ConfigurationError
from nodes.llm.resolve import prepare
from nodes.settings import Settings
from nodes.shared.record import Record


class Order(Record):
    """What is to be run."""

    datasets: list[str]
    variants: list[str]
    folder: Path | None = None
    out: Path
    n: int
    """Items of each dataset; 0 for all."""
    seed: int
    half: Half | None = None
    concurrency: int
    most_samples: int
    fresh: bool = False
    context: dict[str, Any]


ONLY = {"results": REVIEWERS, "fanoutqa": ("gate", "plan")}
"""Datasets that few variants make sense on: recorded results, and questions whose documents are not there."""


def fits(dataset: str, variant: str) -> bool:
    """Tell whether a variant makes sense on a dataset; the reviewer alone does on nothing but recorded results."""
    if variant == "tools":
        return dataset == "parallelqa"
    return variant in ONLY[dataset] if dataset in ONLY else variant not in REVIEWERS


async def run(order: Order, tell: Callable[[Cell, int], None], judge: Judge | None = None) -> list[Cell]:
    """Run every cell.

    Args:
        order: What is to be run.
        tell: Called when a cell begins and after each of its items, with the number of items that it will have.
        judge: Scores free text beside the evaluators.
    """
    async with open_runs(order.out) as runs:
        return await _run(order, runs, tell, judge)


async def _run(order: Order, runs: Runs, tell: Callable[[Cell, int], None], judge: Judge | None) -> list[Cell]:
    settings = Settings(**order.context)
    drawn = {
        dataset: sample(load_items(dataset, order.folder, half=order.half), order.n, order.seed)
        for dataset in order.datasets
    }
    # Starting the embedded model belongs to no item.
    await prepare(settings)
    cells = []
    for dataset, items in drawn.items():
        for name in order.variants:
            if not fits(dataset, name):
                continue
            variant = VARIANTS[name]
            shown = Settings(**{**order.context, **variant.settings}).show()
            wanted = Cell(
                dataset=dataset,
                variant=name,
                model=settings.model,
                half=order.half,
                n=len(items),
                seed=order.seed,
                concurrency=order.concurrency,
                commit=commit(),
                prompts=prompt_labels(settings.prompts),
                settings=shown,
            )
            cell = resume_cell(wanted, order.out, fresh=order.fresh)
            budgets = _budgets(wanted, order.out) if name == "self-consistency" else {}
            cells.append(await _run_cell(cell, items, variant, order, runs, budgets, tell, judge))
    return cells


def _budgets(cell: Cell, out: Path) -> dict[str, int]:
    """Tell by item how many tokens the adaptive run took."""
    adaptive = cell.model_copy(update={"variant": "adaptive"})
    path = out / adaptive.file
    if not path.exists():
        raise StoreError(
            f"self-consistency takes as many tokens as adaptive did: run --variant adaptive on {cell.dataset} first"
        )
    rows = Cell.model_validate_json(path.read_text(encoding="utf-8")).rows
    return {row.id: row.total for row in rows}


async def _run_cell(
    cell: Cell,
    items: Sequence[Item],
    variant: Variant,
    order: Order,
    runs: Runs,
    budgets: Mapping[str, int],
    tell: Callable[[Cell, int], None],
    judge: Judge | None,
) -> Cell:
    done = {row.id for row in cell.rows}
    wanted = {item.id for item in items}
    cell = cell.model_copy(update={"rows": [row for row in cell.rows if row.id in wanted]})
    waiting = iter([item for item in items if item.id not in done])
    tell(cell, len(items))

    async def work() -> None:
        for item in waiting:
            row = await _row(item, variant, order, runs, budgets.get(item.id, 0))
            if judge and row.answer:
                row = row.model_copy(update={"judged": await judge(item, row.answer)})
            if item.dataset not in OURS:
                # Texts on others' questions may repeat them, and their data are not ours to hand on.
                row = row.model_copy(update={"answer": ""})
            cell.rows.append(row)
            save(cell, order.out)
            tell(cell, len(items))

    async with asyncio.TaskGroup() as group:
        for _ in range(order.concurrency):
            group.create_task(work())
    return cell


async def _row(item: Item, variant: Variant, order: Order, runs: Runs, tokens: int) -> Row:
    """Answer an item; whatever goes wrong is a failure of this item, and stays in the denominator."""
    try:
        return await answer(item, variant, order.context, runs, tokens=tokens, most=order.most_samples)
    except ConfigurationError:
        raise  # the same for every item
    except Exception as error:
        scored = bool(item.answers or item.results)
        told = f"{type(error).__name__}: {error}"[:500]
        return Row(id=item.id, score=0.0 if scored else None, error=told, **describe_structure(item))

"""What is evaluated: items of our own (`evals/datasets`) and of others' data, read from a path and never copied.

Others' data lie in one folder under the names of their files (see `evals.others`); where they come from and under which
licences, their own SOURCES file says.
"""

import json
import random
from pathlib import Path
from typing import Any

from evals.item import Half, Item, half_of
from evals.others import OTHERS

FOLDER = Path(__file__).parent / "datasets"
OURS = ("compound", "plans", "documents", "code_review", "sequential", "branches", "structure", "results")


class DataError(ValueError):
    """Data cannot be read; the message says which and what to do."""


def names() -> list[str]:
    """Name all datasets."""
    return [*OURS, *OTHERS]


def load_items(name: str, folder: Path | None = None, *, half: Half | None = None) -> list[Item]:
    """Read a dataset.

    Args:
        name: One of `names()`.
        folder: Where others' data lie.
        half: Only the items of one half; which half an item is in depends on nothing but its id.

    Raises:
        DataError: It cannot be read.
    """
    if name in OURS:
        items = [Item.model_validate({"dataset": name, **row}) for row in _rows(FOLDER / f"{name}.jsonl")]
    elif name in OTHERS:
        if folder is None:
            raise DataError(f"`{name}` is others' data: name the folder that holds it with --folder")
        file, read = OTHERS[name]
        items = list(read(_rows(folder / file)))
    else:
        raise DataError(f"there is no dataset `{name}`; there are {', '.join(names())}")
    return [item for item in items if half in (None, half_of(item))]


def sample(items: list[Item], n: int, seed: int) -> list[Item]:
    """Draw items by chance, as many that are to be split as not where a dataset has both; with `n` 0 take all."""
    if not n:
        return items
    rng = random.Random(seed)
    yes, no = ([item for item in items if bool(item.parallel) is wanted] for wanted in (True, False))
    if not (yes and no):
        return rng.sample(items, min(n, len(items)))
    return rng.sample(yes, min((n + 1) // 2, len(yes))) + rng.sample(no, min(n // 2, len(no)))


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error

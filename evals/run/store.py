"""Results on disk: a folder a dataset, one JSON file a cell (variant, model), whole after every item.

A run that was broken off goes on from there.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from evals.run.row import Row
from nodes.settings import Settings
from nodes.shared.record import Record
from prompts import PROMPTS, read_versions

RESULTS = Path(__file__).parent.parent / "results"


class StoreError(ValueError):
    """Results cannot be read or belong to another run; the message says which and what to do."""


class Cell(Record):
    """All items of one dataset under one variant, and what they ran with."""

    dataset: str
    variant: str
    model: str
    half: str | None = None
    n: int
    seed: int
    concurrency: int = 1
    """Items at once."""
    commit: str = ""
    prompts: list[str] = Field(default_factory=list)
    settings: dict[str, Any] = Field(default_factory=dict)
    rows: list[Row] = Field(default_factory=list)

    @property
    def file(self) -> str:
        """The file's path within the results."""
        model = re.sub(r"[^A-Za-z0-9.-]+", "-", self.model)
        half = f".{self.half}" if self.half else ""
        return f"{self.dataset}/{self.dataset}{half}.{self.variant}.{model}.json"


def commit() -> str:
    """Name the commit in use; empty outside of a repository, with a `+` where files were changed since."""
    folder = Path(__file__).parent
    told = [
        subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
        for arguments in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--", ":!evals/results"])
    ]
    if any(answer.returncode for answer in told):
        return ""
    return told[0].stdout.strip() + ("+" if told[1].stdout.strip() else "")


def prompt_labels(chosen: str) -> list[str]:
    """Name the versions of all prompts in use."""
    versions = read_versions(chosen)
    return [f"{name}@{versions.get(name, family.default)}" for name, family in PROMPTS.items()]


def resume_cell(cell: Cell, folder: Path, *, fresh: bool) -> Cell:
    """Return the cell with the rows that are there already.

    Args:
        cell: What is to be run.
        folder: Where the results lie.
        fresh: Start over.

    Raises:
        StoreError: The file is damaged, or its rows were made with other settings, prompts or seeds.
    """
    path = folder / cell.file
    if fresh or not path.exists():
        return cell
    try:
        old = Cell.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise StoreError(f"{path.name} cannot be read; --fresh starts over: {error}") from error
    # A setting that there was not yet was at its default.
    before = old.model_copy(update={"settings": {**Settings().show(), **old.settings}})
    for name in ("seed", "prompts", "settings"):
        if before[name] != cell[name]:
            raise StoreError(f"{path.name} was made with other {name}: {old[name]}; --fresh starts over")
    # Times of rows that ran beside others say so for the whole cell.
    return cell.model_copy(update={"rows": old.rows, "concurrency": max(cell.concurrency, old.concurrency)})


def save(cell: Cell, folder: Path) -> None:
    """Write a cell, whole or not at all."""
    path = folder / cell.file
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    # Values at their defaults are left out: the files stay small and their changes readable.
    content = cell.model_dump(mode="json", exclude={"rows"})
    rows = ",\n".join(json.dumps(row.model_dump(mode="json", exclude_defaults=True)) for row in cell.rows)
    unfinished.write_text(f'{json.dumps(content)[:-1]},\n"rows": [\n{rows}\n]}}\n', encoding="utf-8")
    unfinished.replace(path)


def load_cells(folder: Path) -> list[Cell]:
    """Read all cells.

    Raises:
        StoreError: A file is damaged.
    """
    cells = []
    for path in sorted(folder.glob("*/[!.]*.json")):
        try:
            cells.append(Cell.model_validate_json(path.read_text(encoding="utf-8")))
        except (OSError, ValidationError) as error:
            raise StoreError(f"{path.name} cannot be read: {error}") from error
    return cells

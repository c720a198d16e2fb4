"""What is evaluated: items of our own (`evals/datasets`) and of others' data, read from a path and never copied.

Others' data lie in one folder under the names of their files (see `OTHERS`); where they come from and under which
licences, their own SOURCES file says.
"""

import json
import random
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from nodes.record import Record
from nodes.state import Document

FOLDER = Path(__file__).parent / "datasets"
OURS = ("compound", "plans", "documents", "code_review", "sequential", "structure", "results")
COMPOSITE = 4
"""Grade-school problems in one composite question."""
Half = Literal["tuning", "held-out"]


class DataError(ValueError):
    """Data cannot be read; the message says which and what to do."""


class GivenResult(Record):
    """A recorded thread result, for the reviewer."""

    id: str
    subquestion: str
    result: str


class Item(Record):
    """One question with what a right run of it shows."""

    id: str
    dataset: str
    question: str
    documents: list[Document] = Field(default_factory=list)
    answers: list[list[str]] = Field(default_factory=list)
    """For each part the answers that count as right; empty where only structure is scored."""
    match: Literal["stated", "concluded", "in turn", "mention", "last"] = "stated"
    """How an answer is found: see `evals.score`."""
    parallel: bool | None = None
    """Whether the question has independent parts; `None` where nobody says."""
    threads: int | None = None
    """How many, where known."""
    reason: str = ""
    """Why it has, or has not."""
    steps: list[str] = Field(default_factory=list)
    """Its subquestions; one that needs the answer of another says #1, #2, …"""
    needed: list[str] = Field(default_factory=list)
    """Ids of the documents that the answer needs."""
    results: list[GivenResult] = Field(default_factory=list)
    wrong: list[str] = Field(default_factory=list)
    """Ids of the results in which an error was planted."""
    critiques: dict[str, str] = Field(default_factory=dict)
    """What is wrong with each of these."""
    contradictions: list[list[str]] = Field(default_factory=list)
    """Pairs of results between which a contradiction was planted."""


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


def half_of(item: Item) -> Half:
    """Tell which half an item is in."""
    return "tuning" if sha256(f"split:{item.id}".encode()).digest()[-1] % 2 else "held-out"


def sample(items: list[Item], n: int, seed: int) -> list[Item]:
    """Draw items by chance, as many that are to be split as not where a dataset has both."""
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


def _gate(rows: list[dict[str, Any]]) -> Iterable[Item]:
    for row in rows:
        yield Item(
            id=row["id"], dataset="gate", question=row["question"], parallel=row["parallel"], threads=row["width"]
        )


def _parallelqa(rows: list[dict[str, Any]]) -> Iterable[Item]:
    for row in rows:
        known = {"answers": [[row["answer"]]], "match": "last", "parallel": True, "threads": row["threads"]}
        yield Item(id=f"parallelqa-{row['id']}", dataset="parallelqa", question=row["question"], **known)


def _gsm8k(rows: list[dict[str, Any]]) -> Iterable[Item]:
    for row in rows:
        known = {"answers": [[row["answer"]]], "match": "last", "parallel": False, "threads": 1}
        yield Item(id=row["id"], dataset="gsm8k", question=row["question"], **known)


def _composites(rows: list[dict[str, Any]]) -> Iterable[Item]:
    # Each problem belongs to the half of its own id, so that no composite mixes tuning and held-out problems.
    for half in ("tuning", "held-out"):
        own = [row for row in rows if half_of(next(iter(_gsm8k([row])))) == half]
        for number in range(len(own) // COMPOSITE):
            four = own[number * COMPOSITE : (number + 1) * COMPOSITE]
            text = "\n".join(f"{place}. {row['question'].strip()}" for place, row in enumerate(four, 1))
            yield Item(
                id=_id_in(half, f"composite-{number + 1}"),
                dataset="composites",
                question=f"Solve these problems.\n{text}",
                answers=[[row["answer"]] for row in four],
                match="in turn",
                parallel=True,
                threads=COMPOSITE,
            )


def _id_in(half: str, stem: str) -> str:
    """Find an id with a stem that falls into a half."""
    ids = (f"{stem}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")
    return next(id for id in ids if half_of(Item(id=id, dataset="", question="")) == half)


def _sot(rows: list[dict[str, Any]], name: str) -> Iterable[Item]:
    for number, row in enumerate(rows, 1):
        yield Item(
            id=f"{name}-{number}", dataset=name, question=row["question"], parallel=bool(row["independent_points"])
        )


OTHERS: dict[str, tuple[str, Callable[[list[dict[str, Any]]], Iterable[Item]]]] = {
    "gate": ("gate_dev.jsonl", _gate),
    "parallelqa": ("parallelqa_dev.jsonl", _parallelqa),
    "gsm8k": ("gsm8k_dev.jsonl", _gsm8k),
    "composites": ("gsm8k_dev.jsonl", _composites),
    "sot_vicuna": ("sot_vicuna_dev.jsonl", lambda rows: _sot(rows, "sot_vicuna")),
    "sot_wizardlm": ("sot_wizardlm_dev.jsonl", lambda rows: _sot(rows, "sot_wizardlm")),
}

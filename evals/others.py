"""Others' data: how the lines of each file become items (pure).

Several short items in one question, or several files in one review, are always of the same half, by their own ids, so
that no question mixes tuning and held-out items.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Any

from evals.item import HALVES, Half, Item, KnownPart, half_of_id
from evals.shape import widest
from nodes.state import Document

Row = dict[str, Any]
FILES_A_REVIEW = (2, 3, 4)


def _gate(rows: Sequence[Row]) -> Iterable[Item]:
    for row in rows:
        yield Item(
            id=row["id"], dataset="gate", question=row["question"], parallel=row["parallel"], threads=row["width"]
        )


def _parallelqa(rows: Sequence[Row]) -> Iterable[Item]:
    for row in rows:
        known = {"answers": [[row["answer"]]], "match": "last", "parallel": True, "threads": row["threads"]}
        yield Item(id=f"parallelqa-{row['id']}", dataset="parallelqa", question=row["question"], **known)


def _gsm8k(rows: Sequence[Row]) -> Iterable[Item]:
    for row in rows:
        known = {"answers": [[row["answer"]]], "match": "last", "parallel": False, "threads": 1}
        yield Item(id=row["id"], dataset="gsm8k", question=row["question"], **known)


def _sot(rows: Sequence[Row], name: str) -> Iterable[Item]:
    for number, row in enumerate(rows, 1):
        yield Item(
            id=f"{name}-{number}", dataset=name, question=row["question"], parallel=bool(row["independent_points"])
        )


def _composites(rows: Sequence[Row], name: str, stem: str, size: int) -> Iterable[Item]:
    for half in HALVES:
        yield from _lists("Solve these problems.", _of(half, rows), half, name, stem, size)


def _bbh(rows: Sequence[Row], name: str, size: int) -> Iterable[Item]:
    for half in HALVES:
        yield from _lists("Answer these questions.", _mix(_of(half, rows)), half, name, name, size)


def _lists(asked: str, rows: Sequence[Row], half: Half, name: str, stem: str, size: int) -> Iterable[Item]:
    """Ask several questions as one numbered list; what does not fill a list is left out."""
    for number in range(len(rows) // size):
        some = rows[number * size : (number + 1) * size]
        entries = [_entry(f"{place}. ", row["question"].strip()) for place, row in enumerate(some, 1)]
        yield Item(
            id=_id_in(half, f"{stem}-{number + 1}"),
            dataset=name,
            question="\n".join([asked, *entries]),
            answers=[_list_accepted(row) for row in some],
            match="in turn",
            parallel=True,
            threads=size,
        )


def _entry(marker: str, text: str) -> str:
    # Markdown takes further lines for the item's own only where they stand under its text.
    return marker + text.replace("\n", "\n" + " " * len(marker))


def _list_accepted(row: Row) -> list[str]:
    """List the right answer, and of an option its text."""
    answer = row["answer"]
    told = [line.removeprefix(answer).strip() for line in row["question"].splitlines() if line.startswith(answer)]
    return [answer, *told] if answer.startswith("(") else [answer]


def _mix(rows: Sequence[Row]) -> list[Row]:
    """Take the tasks in turn, each time beginning with another one, so that no place in a list is one task's."""
    by_task: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_task[row["task"]].append(row)
    turns = [list(turn) for turn in zip_longest(*by_task.values())]
    begun = [turn[number % len(turn) :] + turn[: number % len(turn)] for number, turn in enumerate(turns)]
    return [row for turn in begun for row in turn if row is not None]


def _quixbugs(rows: Sequence[Row]) -> Iterable[Item]:
    # Where the data do not say which line is wrong, nothing can be scored.
    told = [row for row in rows if row["wrong"].strip() and row["right"].strip()]
    for half in HALVES:
        own = _of(half, told)
        reviews = {frozenset(row["id"] for row in some): some for some in _neighbours(own)}
        for number, some in enumerate(reviews.values(), 1):
            documents = [Document(id=f"{row['id']}.py", text=row["code"].strip("\n") + "\n") for row in some]
            yield Item(
                id=_id_in(half, f"quixbugs-{number}"),
                dataset="quixbugs",
                question="Which line of each of these files is wrong? Name it and say how to mend it.",
                documents=documents,
                answers=[[str(_line(row)), row["wrong"], row["right"]] for row in some],
                match="fault",
                parallel=True,
                threads=len(some),
                needed=[document.id for document in documents],
            )


def _neighbours(rows: Sequence[Row]) -> Iterable[list[Row]]:
    """List for each size the files that follow each other in a ring."""
    for size in FILES_A_REVIEW:
        if size <= len(rows):
            yield from ([rows[(start + step) % len(rows)] for step in range(size)] for start in range(len(rows)))


def _line(row: Row) -> int:
    """Number the faulty line in the file as it is shown, which begins with a line of code."""
    code = row["code"]
    return int(row["line"]) - (len(code) - len(code.lstrip("\n")))


def _fanoutqa(rows: Sequence[Row]) -> Iterable[Item]:
    for row in rows:
        numbers = {part["id"]: number for number, part in enumerate(row["parts"], 1)}
        parts = [
            KnownPart(question=part["question"], needs=[numbers[id] for id in part["needs"] if id in numbers])
            for part in row["parts"]
        ]
        yield Item(
            id=row["id"],
            dataset="fanoutqa",
            question=row["question"],
            parts=parts,
            threads=widest([part.needs for part in parts]),
        )


def _longbench_write(rows: Sequence[Row]) -> Iterable[Item]:
    for row in rows:
        yield Item(id=row["id"], dataset="longbench_write", question=row["question"], words=row["words"])


def _of(half: Half, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if half_of_id(row["id"]) == half]


def _id_in(half: Half, stem: str) -> str:
    """Find an id with a stem that falls into a half."""
    return next(id for letter in "abcdefghijklmnopqrstuvwxyz" if half_of_id(id := f"{stem}{letter}") == half)


OTHERS: dict[str, tuple[str, Callable[[Sequence[Row]], Iterable[Item]]]] = {
    "gate": ("gate_dev.jsonl", _gate),
    "parallelqa": ("parallelqa_dev.jsonl", _parallelqa),
    "gsm8k": ("gsm8k_dev.jsonl", _gsm8k),
    "composites": ("gsm8k_dev.jsonl", lambda rows: _composites(rows, "composites", "composite", 4)),
    "composites8": ("gsm8k_dev.jsonl", lambda rows: _composites(rows, "composites8", "composites8", 8)),
    "bbh4": ("bbh_dev.jsonl", lambda rows: _bbh(rows, "bbh4", 4)),
    "bbh8": ("bbh_dev.jsonl", lambda rows: _bbh(rows, "bbh8", 8)),
    "quixbugs": ("quixbugs_dev.jsonl", _quixbugs),
    "longbench_write": ("longbench_write_dev.jsonl", _longbench_write),
    "fanoutqa": ("fanoutqa_dev.jsonl", _fanoutqa),
    "sot_vicuna": ("sot_vicuna_dev.jsonl", lambda rows: _sot(rows, "sot_vicuna")),
    "sot_wizardlm": ("sot_wizardlm_dev.jsonl", lambda rows: _sot(rows, "sot_wizardlm")),
}
"""By the dataset's name the file, and what reads its lines."""

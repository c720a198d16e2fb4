"""What each prompt is to be good at: items, the variables they are put as, the score of a reply and words on it.

Examples that may end up in a prompt file come from our own datasets only; others' data serve for scoring.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from evals.item import Half, Item
from evals.items import load_items, sample
from evals.run.reviewer import compare_found, recorded_results
from nodes.asking.results import as_lines
from nodes.input.excerpts import by_number
from nodes.input.segments import Segment
from nodes.judging.arithmetic import evidence
from nodes.judging.verdicts import Conflict, Review
from nodes.planning.needs import widest
from nodes.planning.outline import Outline, read_parts
from nodes.settings import Role
from nodes.state import Problem
from prompts import block


@dataclass(frozen=True)
class Task:
    """One prompt, and what it is measured by."""

    name: Role
    shape: type[BaseModel]
    ours: tuple[str, ...]
    """Datasets that examples may be taken from."""
    others: tuple[str, ...]
    """Datasets of others that candidates are scored on, where their folder is named."""
    variables: Callable[[Item], dict[str, str]]
    score: Callable[[Item, Any], tuple[float, str]]
    """Score of a reply, 0 to 1, and what was wrong with it."""
    wanted: Callable[[Item], str]
    """The reply that the item itself tells."""

    def examples(self, half: Half) -> list[Item]:
        """List our own items of a half."""
        return [item for name in self.ours for item in load_items(name, half=half)]

    def scored(self, half: Half, folder: Path | None, n: int, seed: int) -> list[Item]:
        """Draw the items that candidates are scored on: others' data where there are any, else our own."""
        if self.others and folder:
            share = max(1, n // len(self.others))
            return [item for name in self.others for item in sample(load_items(name, folder, half=half), share, seed)]
        return sample(self.examples(half), n, seed)


def _segments(item: Item) -> list[Segment]:
    return Problem(question=item.question, documents=item.documents).segments()


def _assess_variables(item: Item) -> dict[str, str]:
    return {"segments": by_number(_segments(item))}


def _assess_score(item: Item, reply: Outline) -> tuple[float, str]:
    parts, repairs = read_parts(reply.parts, _segments(item))
    ready = len(widest(parts))
    if (ready > 1) == item.parallel:
        return 1.0, "Right."
    wanted = "has independent parts and is to be split" if item.parallel else "is a chain or one question: do not split"
    return 0.0, " ".join([f"Wrong: {ready} parts can run at once, but the question {wanted}.", *map(str, repairs)])


def _assess_wanted(item: Item) -> str:
    lines = gold_lines(item) if len(item.steps) > 1 else []
    return Outline(parts=lines, answer=item.form).model_dump_json()


def gold_lines(item: Item) -> list[str]:
    """Write an item's steps as an outline has them: by number where the items of its list are the steps."""
    listed = [str(segment.number) for segment in _segments(item) if segment.marker]
    return listed if len(listed) == len(item.steps) else item.steps


def _review_variables(item: Item) -> dict[str, str]:
    results = recorded_results(item)
    again = evidence([(one.id, one.answer) for one in results], item.question)
    return {
        "question": item.question,
        "instructions": "",
        "results": as_lines(results),
        "evidence": block("Done again by a calculator", "\n".join(again)),
        "missing": "",
    }


def _review_score(item: Item, reply: Review) -> tuple[float, str]:
    told = compare_found(item, reply)
    alarms = int(told["false_alarms"])
    planted = [f"{id} is wrong" for id in item.wrong] + [
        f"{' and '.join(pair)} contradict" for pair in item.contradictions
    ]
    answered = bool(reply.answer.strip()) or bool(planted)
    score = float(told["score"]) / (1 + alarms) * (1.0 if answered else 0.5)
    return score, f"Planted: {'; '.join(planted) or 'nothing'}. {alarms} false alarms."


def _review_wanted(item: Item) -> str:
    texts = {one.id: one.result for one in item.results}
    redo = [f"{id}: {item.critiques[id]}" for id in item.wrong]
    conflicts = [Conflict(threads=pair, quotes=[texts[id] for id in pair]) for pair in item.contradictions]
    answer = "" if redo or conflicts else " ".join(texts.values())
    return Review(redo=redo, conflicts=conflicts, answer=answer).model_dump_json()


TASKS = {
    "assess": Task("assess", Outline, ("structure",), ("gate",), _assess_variables, _assess_score, _assess_wanted),
    "review": Task("review", Review, ("results",), (), _review_variables, _review_score, _review_wanted),
}


def mean(scores: Sequence[float]) -> float:
    """Return the mean; 0 of none."""
    return sum(scores) / len(scores) if scores else 0.0

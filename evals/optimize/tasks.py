"""What each prompt is to be good at: items, the variables they are put as, the score of a reply and words on it.

Examples that may end up in a prompt file come from our own datasets only; others' data serve for scoring.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from evals.item import Half, Item
from evals.items import load_items, sample
from evals.optimize.path import STEP_TOKENS, path_tokens, tokens_of, with_path
from evals.run.reviewer import compare_found, recorded_results
from nodes.asking.outline import OUTLINE, stage_of
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


class Judged(NamedTuple):
    """What a reply is worth."""

    points: float
    """0 to 1: whether it is right, and for a fifth how short a critical path it leads to."""
    path: float
    """Tokens that are generated one after another where it is followed."""
    words: str
    """What was wrong with it."""


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
    judge: Callable[[Item, Any], Judged]
    wanted: Callable[[Item], str]
    """The reply that the item itself tells."""
    suits: Callable[[Item], bool] = lambda _: True
    """Whether an item is put to this prompt at all."""

    def examples(self, half: Half) -> list[Item]:
        """List our own items of a half."""
        return [item for name in self.ours for item in load_items(name, half=half) if self.suits(item)]

    def draw_scored(self, half: Half, folder: Path | None, n: int, seed: int) -> list[Item]:
        """Draw the items that candidates are scored on: others' data where there are any, else our own."""
        if self.others and folder:
            share = max(1, n // len(self.others))
            return [item for name in self.others for item in sample(load_items(name, folder, half=half), share, seed)]
        return sample(self.examples(half), n, seed)


def _problem(item: Item) -> Problem:
    return Problem(question=item.question, documents=item.documents)


def _segments(item: Item) -> list[Segment]:
    return _problem(item).segments()


def _in_one_paragraph(item: Item) -> bool:
    return stage_of(_problem(item)) is OUTLINE


def _assess_variables(item: Item) -> dict[str, str]:
    return {"segments": by_number(_segments(item))}


def _judge_outline(item: Item, reply: Outline) -> Judged:
    parts, repairs = read_parts(reply.parts, _segments(item))
    ready, steps = len(widest(parts)), len(item.steps) or item.threads or 1
    path, least = path_tokens(reply.model_dump_json(), parts, steps), _least_path(item, steps)
    if (ready > 1) == item.parallel:
        long = f" But {path:.0f} tokens come one after another, where {least:.0f} suffice." if path > least else ""
        return Judged(with_path(1.0, path, least), path, f"Right.{long}")
    wanted = "has independent parts and is to be split" if item.parallel else "is a chain or one question: do not split"
    said = [f"Wrong: {ready} parts can run at once, but the question {wanted}.", *map(str, repairs)]
    return Judged(0.0, path, " ".join(said))


def _least_path(item: Item, steps: int) -> float:
    """Return the tokens of the critical path of the known outline; of its threads alone, where none is known."""
    if not item.steps:
        return steps * STEP_TOKENS / (steps if item.parallel else 1)
    wanted = Outline.model_validate_json(_assess_wanted(item))
    return path_tokens(wanted.model_dump_json(), read_parts(wanted.parts, _segments(item)).parts, steps)


def _assess_wanted(item: Item) -> str:
    asks = item.asks or ("chain" if not item.parallel else "list" if item.form == "list" else "compare")
    # As the prompt has it: nothing of a chain or a story can be worked on at once.
    return Outline(asks=asks, parts=gold_lines(item) if item.parallel else [], answer=item.form).model_dump_json()


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


def _judge_review(item: Item, reply: Review) -> Judged:
    told = compare_found(item, reply)
    alarms = int(told["false_alarms"])
    planted = [f"{id} is wrong" for id in item.wrong] + [
        f"{' and '.join(pair)} contradict" for pair in item.contradictions
    ]
    answered = bool(reply.answer.strip()) or bool(planted)
    score = float(told["score"]) / (1 + alarms) * (1.0 if answered else 0.5)
    path = tokens_of(reply.model_dump_json())
    points = with_path(score, path, tokens_of(_review_wanted(item)))
    return Judged(points, path, f"Planted: {'; '.join(planted) or 'nothing'}. {alarms} false alarms.")


def _review_wanted(item: Item) -> str:
    texts = {one.id: one.result for one in item.results}
    redo = [f"{id}: {item.critiques[id]}" for id in item.wrong]
    conflicts = [Conflict(threads=pair, quotes=[texts[id] for id in pair]) for pair in item.contradictions]
    answer = "" if redo or conflicts else " ".join(texts.values())
    return Review(redo=redo, conflicts=conflicts, answer=answer).model_dump_json()


TASKS = {
    "assess": Task(
        name="assess",
        shape=Outline,
        ours=("structure",),
        others=("gate", "gsm8k"),
        variables=_assess_variables,
        judge=_judge_outline,
        wanted=_assess_wanted,
        suits=_in_one_paragraph,
    ),
    "review": Task("review", Review, ("results",), (), _review_variables, _judge_review, _review_wanted),
}


def mean(scores: Sequence[float]) -> float:
    """Return the mean; 0 of none."""
    return sum(scores) / len(scores) if scores else 0.0

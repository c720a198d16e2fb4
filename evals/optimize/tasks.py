"""What each prompt is to be good at: items, the variables they are put as, the score of a reply and words on it.

Examples that may end up in a prompt file come from our own datasets only; others' data serve for scoring.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from nodes.parts import parts_found
from pydantic import BaseModel

from evals.item import Half, Item
from evals.items import load_items, sample
from evals.run.row import numbered
from evals.run.variants import found
from nodes.assess import structured, variables
from nodes.materials import overview
from nodes.plan import Plan, faults, repair
from nodes.results import ThreadResult
from nodes.review import listed
from nodes.segments import split_question
from nodes.settings import Role
from nodes.state import Assessment, Problem, Review
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
    wanted: Callable[[Item], str | None] = lambda item: None
    """The reply that the item itself tells, where it does; else one that scores 1 is taken from the model."""

    def examples(self, half: Half) -> list[Item]:
        """List our own items of a half."""
        return [item for name in self.ours for item in load_items(name, half=half)]

    def scored(self, half: Half, folder: Path | None, n: int, seed: int) -> list[Item]:
        """Draw the items that candidates are scored on: others' data where there are any, else our own."""
        if self.others and folder:
            share = max(1, n // len(self.others))
            return [item for name in self.others for item in sample(load_items(name, folder, half=half), share, seed)]
        return sample(self.examples(half), n, seed)


def _problem(item: Item) -> Problem:
    return Problem(question=item.question, documents=item.documents)


def _assess_variables(item: Item) -> dict[str, str]:
    return variables(_problem(item))


def _assess_score(item: Item, reply: Assessment) -> tuple[float, str]:
    said = structured(reply, _problem(item)).decomposable
    if said == item.parallel:
        return 1.0, "Right."
    wanted = "has independent parts and is to be split" if item.parallel else "is a chain or one question: do not split"
    return 0.0, f"Wrong: the question {wanted}. It said: {reply.reason}"


def _assess_wanted(item: Item) -> str:
    return Assessment(
        reason=item.reason,
        subquestions=item.steps,
        decomposable=bool(item.parallel),
        complexity="simple" if len(item.steps) < 3 else "moderate",
    ).model_dump_json()


def _decompose_variables(item: Item) -> dict[str, str]:
    segments = _problem(item).segments()
    parts = parts_found(_parts(item), segments)
    return {"segments": block("Segments", overview(segments)), "parts": parts, "limit": "16"}


def _parts(item: Item) -> list[str]:
    """List the parts that an assessment would find; of every other item none, as when it saved itself the list."""
    if sha256(item.id.encode()).digest()[0] % 2:
        return []
    if item.needed and len(item.needed) == len(item.documents):
        return [f"Which bug does {document.id} have?" for document in item.documents]
    return [segment for segment in split_question(item.question) if segment.endswith("?")]


def _decompose_score(item: Item, reply: Plan) -> tuple[float, str]:
    segments = _problem(item).segments()
    plan, repairs = repair(reply, segments, max_threads=16, max_parallel=8)
    count, wanted = len(plan.threads), item.threads or 0
    threads = 1.0 if count == wanted else 0.5 if abs(count - wanted) == 1 else 0.0
    valid = 1.0 if count >= 2 and not faults(repairs) else 0.5 if count >= 2 else 0.0
    scores, words = [threads, valid], [f"{count} threads where {wanted} are right.", *repairs]
    if item.needed:
        given = {number for thread in plan.threads for number in thread.sources}
        numbers = numbered(item)
        right = [(numbers[one.label] in given) == (one.id in item.needed) for one in item.documents]
        scores.append(sum(right) / len(right))
        words.append(f"{sum(right)} of {len(right)} documents given or left out rightly.")
    return sum(scores) / len(scores), " ".join(words)


def _review_variables(item: Item) -> dict[str, str]:
    results = [
        ThreadResult(id=one.id, subquestion=one.subquestion, status="answered", answer=one.result)
        for one in item.results
    ]
    return {"question": item.question, "instructions": "", "results": listed(results), "missing": "", "rounds": "2"}


def _review_score(item: Item, reply: Review) -> tuple[float, str]:
    told = found(item, reply)
    alarms = int(told["false_alarms"])
    planted = [f"{id} is wrong" for id in item.wrong] + [
        f"{' and '.join(pair)} contradict" for pair in item.contradictions
    ]
    answered = bool(reply.answer.strip()) or bool(planted)
    score = float(told["score"]) / (1 + alarms) * (1.0 if answered else 0.5)
    return score, f"Planted: {'; '.join(planted) or 'nothing'}. {alarms} false alarms."


def _review_wanted(item: Item) -> str:
    disputed = {id for pair in item.contradictions for id in pair}
    verdicts = [
        {
            "thread_id": one.id,
            "verdict": "retry" if one.id in item.wrong else "could_not_judge" if one.id in disputed else "accept",
            "critique": item.critiques.get(one.id, ""),
        }
        for one in item.results
    ]
    texts = {one.id: one.result for one in item.results}
    pairs = [
        {"thread_ids": pair, "claim": f"{pair[0]} says: {texts[pair[0]]} {pair[1]} says: {texts[pair[1]]}"}
        for pair in item.contradictions
    ]
    answer = "" if item.wrong or pairs else " ".join(one.result for one in item.results)
    return json.dumps({"verdicts": verdicts, "contradictions": pairs, "answer": answer}, ensure_ascii=False)


TASKS = {
    "assess": Task("assess", Assessment, ("structure",), ("gate",), _assess_variables, _assess_score, _assess_wanted),
    "decompose": Task(
        "decompose", Plan, ("compound", "plans", "documents", "code_review"), (), _decompose_variables, _decompose_score
    ),
    "review": Task("review", Review, ("results",), (), _review_variables, _review_score, _review_wanted),
}


def mean(scores: Sequence[float]) -> float:
    """Return the mean; 0 of none."""
    return sum(scores) / len(scores) if scores else 0.0

"""What is kept of one item under one variant."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from evals.items import Item
from evals.score import parts_right
from nodes.llm.usage import total_usage
from nodes.plan import Plan, faults
from nodes.record import Record
from nodes.state import Assessment, Problem, Solution


class Row(Record):
    """One item under one variant; a failure is a row with score 0, never a row left out."""

    id: str
    score: float | None = None
    """Share of the item's parts that are right, 0 to 1; `None` where no answer is scored."""
    error: str = ""
    """Why the run has no whole answer."""
    answer: str = ""
    """As written; kept for our own data only."""
    judged: float | None = None
    """The model judge's word, 0 or 1, where one was asked."""
    parallel: bool | None = None
    """Whether the question has independent parts, as the data say."""
    split: bool | None = None
    """Whether the gate found independent parts."""
    threads_wanted: int | None = None
    threads: int = 0
    """Threads of the plan."""
    mended: int = 0
    """Faults of the plan as written."""
    valid: bool | None = None
    """Whether the repaired plan can be run: two threads or more, each with a question; `None` without a plan."""
    needed: float | None = None
    """Share of the needed documents that some thread was given."""
    needless: float | None = None
    """Share of the other documents that some thread was given."""
    wrong_found: int = 0
    """Planted errors that the reviewer found."""
    wrong: int = 0
    """Planted errors."""
    contradictions_found: int = 0
    contradictions: int = 0
    """Planted contradictions."""
    false_alarms: int = 0
    """Results refuted or called contradicting in which nothing was planted."""
    rounds: int = 0
    wall_s: float = 0.0
    critical_path_tokens: int = 0
    """Tokens generated one after another: the token latency."""
    end_to_end_tokens: int = 0
    """Tokens of the threads' replies, added up: one chain."""
    output: int = 0
    total: int = 0
    """Tokens of all calls, input and output."""
    samples: int = 1
    """Answers voted on, of self-consistency."""
    prompts: list[str] = Field(default_factory=list)


def row_of(item: Item, solution: Solution) -> Row:
    """Score a finished run."""
    report, right = solution.report, parts_right(item, solution.answer)
    failed = solution.outcome == "failed"
    return Row(
        id=item.id,
        score=(sum(right) / len(right) if not failed else 0.0) if right else None,
        error=solution.stop_reason if solution.outcome != "complete" else "",
        answer=solution.answer,
        rounds=report.rounds,
        wall_s=report.wall_s,
        critical_path_tokens=report.critical_path_tokens,
        end_to_end_tokens=report.estimate.output if report.estimate else 0,
        output=report.tokens.output,
        total=report.tokens.total,
        **structure(item, solution.assessment, solution.plan, report.repairs),
    )


def planned_row(item: Item, values: Mapping[str, Any], wall_s: float) -> Row:
    """Score a run that was stopped before its threads.

    Args:
        item: The item.
        values: The state's `assessment`, `plan`, `calls`, `repairs` and `problems`.
        wall_s: Seconds that it took.
    """
    usage = total_usage(values.get("calls") or [])
    return Row(
        id=item.id,
        error="; ".join(values.get("problems") or []),
        wall_s=round(wall_s, 3),
        critical_path_tokens=usage.output,
        output=usage.output,
        total=usage.total,
        **structure(item, values.get("assessment"), values.get("plan"), values.get("repairs") or []),
    )


def structure(item: Item, assessment: Assessment | None, plan: Plan | None, repairs: Sequence[str]) -> dict[str, Any]:
    """Score the gate, the plan and its scope."""
    known: dict[str, Any] = {
        "parallel": item.parallel,
        "threads_wanted": item.threads,
        "split": assessment.decomposable if assessment else None,
    }
    if plan is None:
        return known
    known |= {
        "threads": len(plan.threads),
        "mended": len(faults(repairs)),
        "valid": len(plan.threads) >= 2 and all(thread.subquestion.strip() for thread in plan.threads),
    }
    if item.needed and known["valid"]:
        numbers, given = numbered(item), {number for thread in plan.threads for number in thread.sources}
        read = {document.id for document in item.documents if numbers[document.label] in given}
        others = {document.id for document in item.documents} - set(item.needed)
        known["needed"] = len(read & set(item.needed)) / len(item.needed)
        known["needless"] = len(read & others) / len(others) if others else None
    return known


def numbered(item: Item) -> dict[str, int]:
    """Number an item's documents as the graph does."""
    segments = Problem(question=item.question, documents=item.documents).segments()
    return {segment.label: segment.number for segment in segments if segment.label}

"""What is kept of one item under one variant."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from evals.item import Item
from evals.score import parts_right
from evals.shape import Shape, parts_of, shape
from nodes.llm.endpoints.usage import Call, total_usage
from nodes.planning.plan import ThreadPlan
from nodes.planning.repair import Repair, faults
from nodes.shared.record import Record
from nodes.state import Assessment, Problem, Solution


class StageTokens(Record):
    """What all calls of one stage read and wrote."""

    input: int = 0
    output: int = 0
    calls: int = 0


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
    """Results sent back or called contradicting in which nothing was planted."""
    rounds: int = 0
    wall_s: float = 0.0
    critical_path_tokens: int = 0
    """Tokens generated one after another: the token latency."""
    end_to_end_tokens: int = 0
    """Tokens of the threads' replies, added up: one chain."""
    output: int = 0
    total: int = 0
    """Tokens of all calls, input and output."""
    uncounted: int = 0
    """Requests that broke off before the server told their tokens: where there are any, the counts are too low."""
    samples: int = 1
    """Answers voted on, of self-consistency."""
    tool_calls: int = 0
    """Calls of tools, failed ones included."""
    tool_failures: int = 0
    """Calls of tools that failed, were given up or were not allowed any more."""
    stages: dict[str, StageTokens] = Field(default_factory=dict)
    """By stage (`assess`, `solve`, `direct`, …), in the order in which they first ran."""
    acted: list[str] = Field(default_factory=list)
    """Repairs and checks that acted, a line each."""
    shape: Shape | None = None
    """How the parts found agree with the known ones, where the data know them."""
    words: int = 0
    """Words written, where a text of some length was asked for."""
    words_wanted: int | None = None
    prompts: list[str] = Field(default_factory=list)


def tokens_by_stage(calls: Iterable[Call]) -> dict[str, StageTokens]:
    """Add up by stage what calls read and wrote."""
    stages: dict[str, StageTokens] = {}
    for call in calls:
        known, usage = stages.get(call.stage, StageTokens()), call.usage
        stages[call.stage] = StageTokens(
            input=known.input + usage.input, output=known.output + usage.output, calls=known.calls + 1
        )
    return stages


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
        tool_calls=sum(tool.calls for tool in report.tools),
        tool_failures=sum(tool.failed for tool in report.tools),
        output=report.tokens.output,
        total=report.tokens.total,
        uncounted=report.uncounted,
        stages=tokens_by_stage(solution.calls),
        words=len(solution.answer.split()) if item.words else 0,
        words_wanted=item.words,
        **structure(item, solution.assessment, solution.plan, report.repairs),
    )


def score_plan(item: Item, values: Mapping[str, Any], wall_s: float) -> Row:
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
        stages=tokens_by_stage(values.get("calls") or []),
        **structure(item, values.get("assessment"), values.get("plan"), values.get("repairs") or []),
    )


def structure(
    item: Item, assessment: Assessment | None, plan: ThreadPlan | None, repairs: Sequence[Repair]
) -> dict[str, Any]:
    """Score the gate, the plan and its scope."""
    known = describe_structure(item, assessment) | {
        "split": assessment.decomposable if assessment else None,
        "acted": [str(one) for one in repairs],
    }
    if plan is None:
        return known
    known |= {
        "threads": len(plan.threads),
        "mended": len(faults(list(repairs))),
        "valid": len(plan.threads) >= 2 and all(thread.subquestion.strip() for thread in plan.threads),
    }
    if item.needed and known["valid"]:
        numbers, given = number_documents(item), {number for thread in plan.threads for number in thread.sources}
        read = {document.id for document in item.documents if numbers[document.label] in given}
        others = {document.id for document in item.documents} - set(item.needed)
        known["needed"] = len(read & set(item.needed)) / len(item.needed)
        known["needless"] = len(read & others) / len(others) if others else None
    return known


def describe_structure(item: Item, assessment: Assessment | None = None) -> dict[str, Any]:
    """Tell what the data say of an item's structure, and how the assessment's parts agree with it."""
    wanted = [(part.question, part.needs) for part in item.parts]
    return {
        "parallel": item.parallel,
        "threads_wanted": item.threads,
        "shape": shape(wanted, parts_of(assessment)) if wanted else None,
    }


def number_documents(item: Item) -> dict[str, int]:
    """Number an item's documents as the graph does."""
    segments = Problem(question=item.question, documents=item.documents).segments()
    return {segment.label: segment.number for segment in segments if segment.label}

"""What a thread came to, and how results merge (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from nodes.llm.endpoints.usage import Usage
from nodes.shared.knobs.solvers import SolverName
from nodes.shared.record import Record
from nodes.threads.solving import Solving

Status = Literal["answered", "failed", "timed_out", "refuted"]
Mark = Literal["cut", "crowded", "repetitive", "too_long", "sent_back_twice"]
"""A sign of context rot; see `nodes.threads.context_rot`."""
Stop = Literal["", "person", "not_needed"]
"""Who stopped a thread at work: a person, or the answers of others, which suffice (see the setting `stop_when`)."""


class ThreadResult(Record):
    """What one thread came to. A thread that failed or ran out of time is not a refuted one."""

    id: str
    """T1, T2, … by its place in the plan; `T2.1` where it took the place of T2."""
    subquestion: str
    """What it was asked."""
    status: Status
    """How it ended; `refuted` by the review."""
    answer: str = ""
    """The short result, whole."""
    answers: list[str] = Field(default_factory=list)
    """The result of each part, in order, where several parts share the thread."""
    parts: list[str] = Field(default_factory=list)
    """What it handed on to threads of its own (`T2.1`, …) instead of an answer."""
    needs: list[str] = Field(default_factory=list)
    """Ids of the threads whose results it was given."""
    checked: bool = False
    """Whether its question was answered anew and compared with the result (`review="careful"`)."""
    fault: str = ""
    """What that found against the result; empty for nothing."""
    text: str = ""
    """All that the thread wrote."""
    reasoning: str = ""
    """The model's reasoning, where it is kept apart from its text."""
    attempts: int = 0
    """Requests made for this thread, over all rounds."""
    rounds: int = 1
    """How often the thread was run: 1, and 1 more each time it was sent back."""
    error: str = ""
    """Why it failed or was refuted, in words that can be shown."""
    stopped: Stop = ""
    """Who stopped it while it was at work; empty for nobody. It does not run again."""
    finish_reason: str = ""
    """As the server gave it: `stop`, `length`, …"""
    model: str = ""
    """`provider:name`."""
    worker: str = ""
    """Who worked on it last, where runs are spread over several machines."""
    solver: SolverName = "chain"
    """How it was worked out in its last run."""
    solving: list[Solving] = Field(default_factory=list)
    """What a vote or a search came by, for each part of the thread."""
    usage: Usage = Usage()
    """Of all its requests, failed ones included."""
    queued_s: float = 0.0
    """Seconds its last run waited for its turn."""
    started_s: float = 0.0
    """Seconds from the start of the run to the start of its last run."""
    latency_s: float = 0.0
    """Seconds its last run took, from its first request to its end."""
    marks: list[Mark] = Field(default_factory=list)
    """Signs that its context was too much for the model, in any of its rounds."""
    cached: bool = False
    """Whether the result was taken from the thread cache."""
    cache_key: str = ""
    """What it is kept under, where a cache is in use."""

    @property
    def sound(self) -> bool:
        """Whether it is answered, and nothing speaks against the answer so far."""
        return self.status == "answered" and not (self.fault or self.marks)


def list_missing(threads: Sequence[ThreadResult]) -> list[ThreadResult]:
    """List the threads without an answer that stands; none is missing that the answers of others make needless."""
    stands = any(thread.status == "answered" for thread in threads)
    return [
        thread for thread in threads if thread.status != "answered" and not (stands and thread.stopped == "not_needed")
    ]


def keep_earlier(before: ThreadResult, why: str, **changes: Any) -> ThreadResult:
    """Return the earlier result of a thread that ran again in vain, and say why: it is worth more than none.

    It stands or stays refuted as it was.
    """
    error = "; ".join(part for part in (before.error, f"sent back, but {why}") if part)
    return before.model_copy(update={"stopped": ""} | changes | {"error": error})


def merge_results(
    standing: Mapping[str, ThreadResult], new: Mapping[str, ThreadResult] | None
) -> dict[str, ThreadResult]:
    """Merge by thread id: a retry replaces, nothing is appended, first-seen order stays.

    A result of fewer rounds never replaces one of more, so a late write changes nothing. `None` starts
    over: a new question on the same LangGraph thread keeps nothing of the one before.
    """
    if new is None:
        return {}
    merged = dict(standing)
    for key, result in new.items():
        if key not in merged or result.rounds >= merged[key].rounds:
            merged[key] = result
    return merged

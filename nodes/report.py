"""What a run did and cost (pure)."""

import heapq
from collections.abc import Iterable, Sequence

from pydantic import Field

from nodes.llm.usage import Call, Usage, total_usage
from nodes.record import Record
from nodes.results import ThreadResult

BROKEN_OFF = frozenset({"cancelled", "timed_out", "deadline", "dropped"})
"""Statuses of requests whose server did not get to say what they used."""


class Degree(Record):
    """A degree of parallelism in force."""

    at_s: float
    """Seconds from the start of the run to the first request under it."""
    model: str
    """`provider:name`."""
    degree: int | None
    """Requests that could be open at once, of all runs of the process; `None` for any number."""
    reason: str = ""


class Report(Record):
    """What a run did and cost, failed and repeated calls included."""

    wall_s: float = 0.0
    """Seconds from the start of the run to its answer."""
    tokens: Usage = Usage()
    """Of every call of the run, as the server counted them."""
    calls: int = 0
    """Requests made to models."""
    rounds: int = 0
    """Extra rounds: how often threads were sent back."""
    retries: int = 0
    """Requests that repeated an earlier one, plus threads that were sent back."""
    threads_planned: int = 0
    """Threads of the repaired plan."""
    threads_used: int = 0
    """Threads whose answer stands."""
    peak_parallel: int = 0
    """Most requests of threads that were open at the same time."""
    hedges: int = 0
    """Second copies of late threads that were started."""
    fallbacks: int = 0
    """Tasks that were tried again with the fallback model."""
    uncounted: int = 0
    """Requests that were broken off before the server told what they used; `tokens` holds nothing of them, save the
    prompt of a late thread's copy."""
    degrees: list[Degree] = Field(default_factory=list)
    """How many requests each endpoint could be sent at once, from when on and why; empty while nothing limited them."""
    repairs: list[str] = Field(default_factory=list)
    """What was mended in the plan, and stages that got no usable reply and were passed over; a line each."""


def make_report(
    calls: Sequence[Call],
    threads: Sequence[ThreadResult],
    *,
    wall_s: float,
    rounds: int,
    planned: int,
    repairs: list[str],
) -> Report:
    """Put the report of a run together.

    Args:
        calls: Every request of the run.
        threads: The threads' results.
        wall_s: Seconds since the run started.
        rounds: Extra rounds made.
        planned: Threads of the repaired plan.
        repairs: What was mended in the plan or passed over.
    """
    return Report(
        wall_s=round(wall_s, 3),
        tokens=total_usage(calls),
        calls=len(calls),
        rounds=rounds,
        retries=sum(call.attempt > 1 for call in calls) + sum(thread.rounds - 1 for thread in threads),
        threads_planned=planned,
        threads_used=sum(thread.status == "answered" for thread in threads),
        peak_parallel=peak_overlap((call.started_s, call.latency_s) for call in calls if call.thread_id),
        hedges=len({(call.thread_id, call.round) for call in calls if call.hedge}),
        fallbacks=sum(call.model != before.model for before, call in _pairs(calls)),
        uncounted=sum(call.status in BROKEN_OFF for call in calls),
        degrees=degrees_of(calls),
        repairs=list(repairs),
    )


def _pairs(calls: Sequence[Call]) -> Iterable[tuple[Call, Call]]:
    """Pair each request of a task with the next one of the same task."""
    tasks: dict[tuple[str, str | None, int, bool], Call] = {}
    for call in calls:
        task = (call.role, call.thread_id, call.round, call.hedge)
        if call.attempt > 1 and task in tasks:
            yield tasks[task], call
        tasks[task] = call


def degrees_of(calls: Iterable[Call]) -> list[Degree]:
    """Tell from the requests of a run which degrees of parallelism were in force, and when each began."""
    changes: list[Degree] = []
    latest: dict[str, int | None] = {}
    for call in sorted(calls, key=lambda call: call.started_s):
        if latest.setdefault(call.model, None) != call.degree:
            latest[call.model] = call.degree
            changes.append(
                Degree(at_s=round(call.started_s, 3), model=call.model, degree=call.degree, reason=call.degree_reason)
            )
    return changes


def peak_overlap(spans: Iterable[tuple[float, float]]) -> int:
    """Return the most spans open at one moment; a span is its start and its length, in seconds."""
    ends: list[float] = []
    peak = 0
    for start, length in sorted(spans):
        # What ends as this one starts is closed: one call after another is not two at once.
        while ends and ends[0] <= start:
            heapq.heappop(ends)
        heapq.heappush(ends, start + length)
        peak = max(peak, len(ends))
    return peak

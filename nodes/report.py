"""What a run did and cost (pure)."""

import heapq
from collections.abc import Iterable, Sequence

from pydantic import Field

from nodes.llm.usage import Call, Usage, total_usage
from nodes.record import Record
from nodes.results import ThreadResult


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
        repairs=list(repairs),
    )


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

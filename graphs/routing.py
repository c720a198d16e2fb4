"""Where the graph goes next: pure routers that never raise and never call a model."""

from collections.abc import Iterable
from typing import Literal

from langgraph.types import Send

from nodes.llm.ledger import spending
from nodes.state import State, ThreadTask


def after_assess(state: State) -> Literal["decompose", "direct"]:
    """Split what the gate let through."""
    return "decompose" if state.parallel else "direct"


def after_decompose(state: State) -> list[Send] | Literal["direct"]:
    """Fan out over a plan of two threads or more; an empty list of Sends would end the run silently."""
    if state.plan is None or len(state.plan.threads) < 2:
        return "direct"
    return to_threads(state) or "direct"


def after_answer(state: State) -> Literal["baseline", "__end__"]:
    """Measure the baseline where it was asked for and there is an answer to compare with."""
    return "baseline" if state.compare and state.outcome != "failed" else "__end__"


def after_review(state: State) -> list[Send] | Literal["refine", "direct", "baseline", "__end__"]:
    """Run the named threads again, some split first; answer directly when nothing stands, or end."""
    if state.answer:
        return after_answer(state)
    return "refine" if state.split else after_refine(state)


def after_refine(state: State) -> list[Send] | Literal["direct"]:
    """Run the named threads again, or answer directly."""
    return to_threads(state) or "direct"


def to_threads(state: State) -> list[Send]:
    """Send each thread that runs next what it may know: its own segments and no other thread's."""
    return [Send("solve", task) for task in _tasks(state)]


def _tasks(state: State) -> Iterable[ThreadTask]:
    if state.plan is None:
        return
    spent = spending(state.calls)
    hedged = sorted({call.thread_id for call in state.calls if call.thread_id and call.hedge})
    segments = {segment.number: segment for segment in state.segments()}
    for spec in state.plan.threads:
        if spec.id in state.redo:
            yield ThreadTask(
                run=state.run,
                spec=spec,
                segments=[segments[number] for number in spec.sources if number in segments],
                shared_context=state.plan.shared_context,
                instructions=state.instructions,
                degree=state.plan.parallelism,
                round=state.round,
                critique=state.critiques.get(spec.id, ""),
                spent=spent,
                hedged=hedged,
                previous=state.results.get(spec.id),
                planned=len(state.plan.threads),
                settled=sum(other.id not in state.redo for other in state.plan.threads),
            )

"""Where the graph goes next: pure routers that never raise and never call a model."""

from collections.abc import Callable
from typing import Any, Literal

from langgraph._internal._runnable import RunnableCallable
from langgraph.types import Send

from nodes.boundary.choice import settings_for_routing
from nodes.state import State, tasks_of


def inline(router: Callable[[State], Any]) -> RunnableCallable:
    """Let a router run where the graph runs; LangGraph would have a thread of its own run it, for it might wait."""
    return RunnableCallable(router, name=router.__name__)


def after_assess(state: State) -> Literal["decompose", "direct"]:
    """Split what the gate let through."""
    return "decompose" if state.parallel else "direct"


def after_decompose(state: State) -> list[Send] | Literal["approve_plan", "direct"]:
    """Fan out over a plan of two threads or more; an empty list of Sends would end the run silently."""
    if state.plan is None or len(state.plan.threads) < 2:
        return "direct"
    if settings_for_routing(state.run).oversight in ("plan", "both"):
        return "approve_plan"
    return to_threads(state) or "direct"


def after_plan_approval(state: State) -> list[Send] | Literal["decompose", "direct"]:
    """Run the plan that a person let through, or plan anew."""
    rejected = bool(state.decisions) and state.decisions[-1].action == "reject"
    return "decompose" if rejected else to_threads(state) or "direct"


def after_answer(state: State) -> Literal["approve_answer", "baseline", "__end__"]:
    """Have the answer approved where that was asked for."""
    if state.outcome != "failed" and settings_for_routing(state.run).oversight in ("answer", "both"):
        return "approve_answer"
    return _after_all(state)


def after_answer_approval(state: State) -> list[Send] | Literal["baseline", "__end__"]:
    """Run the threads again that a person sent back, or end."""
    return to_threads(state) if state.redo else _after_all(state)


def _after_all(state: State) -> Literal["baseline", "__end__"]:
    """Measure the baseline where it was asked for and there is an answer to compare with."""
    return "baseline" if state.outcome != "failed" and settings_for_routing(state.run).baseline else "__end__"


def after_review(state: State) -> list[Send] | Literal["refine", "direct", "approve_answer", "baseline", "__end__"]:
    """Run the named threads again, some split first; answer directly when nothing stands, or end."""
    if state.outcome != "running":
        return after_answer(state)
    return "refine" if state.split else after_refine(state)


def after_refine(state: State) -> list[Send] | Literal["direct"]:
    """Run the named threads again, or answer directly."""
    return to_threads(state) or "direct"


def to_threads(state: State) -> list[Send]:
    """Send each thread that runs next what it may know: its own segments and no other thread's."""
    return [Send("solve", task) for task in tasks_of(state)]

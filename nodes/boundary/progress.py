"""What a run tells while it runs (`stream_mode="custom"`)."""

from typing import Any, Protocol

from langgraph.runtime import Runtime

from nodes.planning.plan import ThreadSpec
from nodes.settings import Settings
from nodes.state import State, ThreadTask
from nodes.threads.results import ThreadResult


class Counted(Protocol):
    """What the threads of a round share."""

    done: int
    """How many have ended, in whatever way."""


def tell_stage(runtime: Runtime[Settings], stage: str, round: int = 0, *, why: str = "") -> None:
    """Stream that a stage begins: `assess`, `decompose`, `review`, `refine`, `direct`, `baseline`, `continue`, `pass`.

    Args:
        runtime: The run.
        stage: Which.
        round: The run's round.
        why: Why it is this stage that comes next, where that is worth saying.
    """
    runtime.stream_writer({"stage": stage, "round": round} | ({"why": why} if why else {}))


def tell_thread(runtime: Runtime[Settings], task: ThreadTask, shared: Counted, status: str, tokens: int = 0) -> None:
    """Stream how a thread stands: `queued` or `running`.

    Args:
        runtime: The run.
        task: The thread.
        shared: What its round shares; tells how many have ended.
        status: How it stands.
        tokens: All that it used so far, over all rounds.
    """
    runtime.stream_writer(_event(task, shared, status, tokens))


def tell_result(runtime: Runtime[Settings], task: ThreadTask, shared: Counted, result: ThreadResult) -> None:
    """Stream how a thread ended, and the answer to each of its parts if nothing speaks against them so far."""
    tokens = 0 if result.cached else result.usage.total
    answers = {"answers": result.answers or [result.answer]} if result.sound else {}
    stopped = {"stopped": result.stopped} if result.stopped else {}
    runtime.stream_writer(_event(task, shared, result.status, tokens) | answers | stopped)


def _event(task: ThreadTask, shared: Counted, status: str, tokens: int) -> dict[str, Any]:
    return {
        "run_id": task.run.id,
        "thread_id": task.spec.id,
        "subquestion": task.spec.subquestion,
        "status": status,
        "round": task.round,
        "n_done": task.settled + shared.done,
        "n_total": task.planned,
        "tokens": tokens,
    }


def tell_split(runtime: Runtime[Settings], state: State, spec: ThreadSpec, planned: int) -> None:
    """Stream that smaller threads take the place of one (status `split`).

    Args:
        runtime: The run.
        state: The run so far.
        spec: The thread that was split.
        planned: Threads of the plan from now on.
    """
    runtime.stream_writer(
        {
            "run_id": state.run.id,
            "thread_id": spec.id,
            "subquestion": spec.subquestion,
            "status": "split",
            "round": state.round,
            "n_done": sum(result.status == "answered" for id, result in state.results.items() if id not in state.redo),
            "n_total": planned,
            "tokens": state.results[spec.id].usage.total,
        }
    )

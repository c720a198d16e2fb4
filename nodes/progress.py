"""What a run tells while it runs (`stream_mode="custom"`)."""

from langgraph.runtime import Runtime

from nodes.fanout import FanOut
from nodes.settings import Settings
from nodes.state import ThreadTask


def tell_stage(runtime: Runtime[Settings], stage: str, round: int = 0) -> None:
    """Stream that a stage begins: `assess`, `decompose`, `review` or `direct`."""
    runtime.stream_writer({"stage": stage, "round": round})


def tell_thread(runtime: Runtime[Settings], task: ThreadTask, shared: FanOut, status: str, tokens: int = 0) -> None:
    """Stream how a thread stands: `queued`, `running`, or the status of its result.

    Args:
        runtime: The run.
        task: The thread.
        shared: What its round shares; tells how many have ended.
        status: How it stands.
        tokens: All that it used so far, over all rounds.
    """
    runtime.stream_writer(
        {
            "thread_id": task.spec.id,
            "subquestion": task.spec.subquestion,
            "status": status,
            "round": task.round,
            "n_done": task.settled + shared.done,
            "n_total": task.planned,
            "tokens": tokens,
        }
    )

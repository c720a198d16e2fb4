"""What the threads of this step have come to already, where a run goes on that had stopped between them."""

import asyncio
from typing import Any

from langgraph.config import get_config

from nodes.threads.results import ThreadResult, merge_results

CHECKPOINTER = "__pregel_checkpointer"
"""Where LangGraph hands a node the store of its run; it has no public name."""


async def read_earlier_results() -> dict[str, ThreadResult]:
    """Read from the run's store what ended threads of this step have left there, by thread id.

    LangGraph does not run a task again that has ended, and shows what it wrote to nobody before the step has ended.
    """
    configurable = get_config().get("configurable", {})
    saver: Any = configurable.get(CHECKPOINTER)
    if not hasattr(saver, "aget_tuple"):
        return {}
    namespace = str(configurable.get("checkpoint_ns", "")).rpartition("|")[0]
    where = {
        "thread_id": configurable.get("thread_id"),
        "checkpoint_ns": namespace,
        "checkpoint_id": configurable.get("checkpoint_map", {}).get(namespace),
    }
    step = {"configurable": {name: value for name, value in where.items() if value is not None}}
    try:
        kept = await saver.aget_tuple(step)
    except RuntimeError:  # a store without asynchronous methods says so by a kind of it
        kept = await asyncio.to_thread(saver.get_tuple, step)
    found: dict[str, ThreadResult] = {}
    for _, channel, value in (kept.pending_writes or []) if kept else []:
        if channel == "results" and isinstance(value, dict):
            found = merge_results(found, {id: result for id, result in value.items() if _is_result(result)})
    return found


def _is_result(value: Any) -> bool:
    return isinstance(value, ThreadResult)

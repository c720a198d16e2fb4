"""What traces and streams tell of a call: one thread can be told from the others."""

from collections import defaultdict
from typing import Any

from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from langchain_core.tracers.schemas import Run

from graphs import graph
from tests.support.server import Fault, ModelServer, Reply, outline

PARTS = [f"What is part {number}?" for number in range(1, 7)]


def split(server: ModelServer) -> None:
    server.on("assess", outline(*PARTS))


def model_calls(run: Run) -> list[Run]:
    """List the model calls below a run of a trace."""
    below = [call for child in run.child_runs for call in model_calls(child)]
    return [run, *below] if run.run_type == "llm" else below


async def test_one_thread_can_be_filtered_out_of_a_trace(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    server.on(PARTS[2], Fault(status=500), "Result: at last")
    traced = RunCollectorCallbackHandler()
    await graph.ainvoke({"question": "Tell me all."}, config={"callbacks": [traced]}, context=context)
    (root,) = traced.traced_runs
    calls = model_calls(root)
    assert root.name == "adaptive: Tell me all." and len(calls) == 9
    third = [call for call in calls if call.extra["metadata"].get("apr_thread") == "T3"]
    told = [call.extra["metadata"] for call in third]
    assert [call.name for call in third] == ["solve T3", "solve T3"]
    assert [data["apr_attempt"] for data in told] == [1, 2] and bool(third[0].error) and not third[1].error
    assert all(data["apr_subquestion"] == PARTS[2] and data["apr_role"] == "solve" for data in told)
    assert all(data["apr_prompt"].startswith(("solve@", "spawn@")) and "apr_hedge" not in data for data in told)
    assert all("apr:solve T3" in (call.tags or []) for call in third)


async def test_a_second_copy_is_told_apart_in_a_trace(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    server.on(PARTS[0], Reply("Result: late", delay=20), "Result: in time")
    traced = RunCollectorCallbackHandler()
    await graph.ainvoke({"question": "Tell me all."}, config={"callbacks": [traced]}, context={**context, "hedge": 1})
    told = [call.extra["metadata"] for call in model_calls(traced.traced_runs[0]) if call.name == "solve T1"]
    assert [data.get("apr_hedge", False) for data in told] == [False, True]


async def test_the_words_of_parallel_threads_can_be_told_apart(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    heard: dict[str, str] = defaultdict(str)
    async for message, metadata in graph.astream({"question": "Tell me all."}, context=context, stream_mode="messages"):
        if metadata.get("apr_thread"):
            heard[metadata["apr_subquestion"]] += message.text
    assert heard == {part: f"Thinking.\nResult: answer to {part}" for part in PARTS}

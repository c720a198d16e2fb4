"""A short answer that is tried before its question is assessed, where calls cannot run side by side."""

import json
from typing import Any

from graphs import graph
from nodes.state import Solution
from tests.support.server import ModelServer, Reply, outline


async def ask(context: dict[str, Any], question: str = "Why?") -> Solution:
    return Solution.model_validate(await graph.ainvoke({"question": question}, context=context))


async def test_where_calls_cannot_run_side_by_side_a_short_answer_is_tried_first(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.slots = 1
    server.on("assess", Reply(json.dumps(outline("Why?")), delay=0.5, completion_tokens=100))
    late, long = Reply("Too long. " * 200, pace=0.05), Reply("So. " * 80, completion_tokens=80)
    server.on("direct", "Because.", "Because.", "Because.", late, long)
    short = [await ask(context) for _ in range(3)]
    assert [[call.stage for call in one.calls] for one in short] == [["assess", "direct"]] * 2 + [["direct"]]
    stream = graph.astream({"question": "Why?"}, context=context, stream_mode=["messages", "values"])
    last = Solution.model_validate([event async for mode, event in stream if mode == "values"][-1])
    tried, assessed, answered = last.calls
    assert (tried.stage, tried.status, tried.wasted) == ("direct", "cancelled", True)
    assert tried.usage.output and assessed.started_s >= tried.started_s + tried.latency_s
    assert last.report.critical_path_tokens == sum(call.usage.output for call in last.calls)
    assert answered.stage == "direct" and last.answer == long.text.strip()


async def test_no_short_answer_is_expected_of_a_long_question(server: ModelServer, context: dict[str, Any]) -> None:
    server.slots = 1
    question = " ".join(["Why is it so?"] * 20)
    server.on("assess", Reply(json.dumps(outline("1")), delay=0.5, completion_tokens=100))
    server.on("direct", "Because.")
    runs = [await ask(context, question) for _ in range(4)]
    assert [[call.stage for call in one.calls] for one in runs] == [["assess", "direct"]] * 4

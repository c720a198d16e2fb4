"""A short answer that is tried before its question is assessed, where calls cannot run side by side."""

import json
from typing import Any

import pytest

from graphs import graph
from nodes.state import Solution
from tests.support.server import ModelServer, Reply, outline

SHORT = Reply("Because.", delay=0.2, completion_tokens=10)
LONG = Reply("So it is. " * 200, pace=0.05, completion_tokens=500)


@pytest.fixture(autouse=True)
def narrow(server: ModelServer) -> None:
    """Have the server write 70 tokens a second, of one reply at a time."""
    server.slots = 1
    server.on("assess", Reply(json.dumps(outline("1")), delay=1.5, completion_tokens=100))


async def ask(context: dict[str, Any], question: str = "Why?") -> Solution:
    """Ask in a stream, so that replies are streamed."""
    events = graph.astream({"question": question}, context=context, stream_mode=["messages", "values"])
    return Solution.model_validate([event async for mode, event in events if mode == "values"][-1])


async def test_a_short_answer_needs_no_outline_once_the_pace_is_known(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("direct", SHORT)
    runs = [await ask(context) for _ in range(3)]
    assert [[call.stage for call in run.calls] for run in runs] == [["assess", "direct"], ["direct"], ["direct"]]
    assert runs[1].route == "direct" and runs[1].outcome == "complete" and runs[1].answer == "Because."


async def test_what_was_tried_in_vain_is_counted_and_tried_less_often(
    server: ModelServer, context: dict[str, Any]
) -> None:
    last = Reply("So it is.", completion_tokens=80)
    server.on("direct", SHORT, *[LONG, last] * 4, last)
    _, tried = [await ask(context) for _ in range(2)]
    first, assessed, answered = tried.calls
    assert (first.stage, first.status, first.wasted) == ("direct", "cancelled", True) and first.usage.output
    assert assessed.started_s >= first.started_s + first.latency_s and server.calls("direct")[1].dropped
    assert (answered.stage, tried.answer) == ("direct", "So it is.")
    assert tried.report.critical_path_tokens == sum(call.usage.output for call in tried.calls)
    assert tried.report.wasted == first.usage
    # One short answer against one to three in vain, the last as every fourth outline has one, then against four.
    later = [await ask(context) for _ in range(4)]
    assert [[call.stage for call in run.calls] for run in later] == [
        *[["direct", "assess", "direct"]] * 3,
        ["assess", "direct"],
    ]


async def test_no_short_answer_is_expected_of_a_long_question(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", SHORT)
    runs = [await ask(context, "Why is it so? " * 20) for _ in range(2)]
    assert [[call.stage for call in run.calls] for run in runs] == [["assess", "direct"]] * 2

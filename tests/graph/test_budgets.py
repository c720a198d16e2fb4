"""A run's deadline and its tokens: what ends, what is kept, and what is said."""

import asyncio
import json
import time
from typing import Any

import pytest

from graphs import graph, sequential
from tests.support.server import HANG, Fault, ModelServer, Reply, outline, review

PARTS = [f"What is part {number}?" for number in range(1, 9)]


def split(server: ModelServer, count: int = 8, **reply: Any) -> list[str]:
    written = Reply(json.dumps(outline(*PARTS[:count])), prompt_tokens=900, completion_tokens=100)
    server.on("assess", written)
    for part in PARTS[:count]:
        server.on(part, Reply(f"Result: answer to {part}", **reply))
    return PARTS[:count]


async def ask(context: dict[str, Any], asked: Any = graph) -> tuple[Any, float]:
    began = time.monotonic()
    solution = await asked.ainvoke({"question": "Tell me all."}, context=context)
    return solution, time.monotonic() - began


# The deadline


async def test_seven_of_eight_threads_hang_and_the_answer_comes_in_time(
    server: ModelServer, context: dict[str, Any]
) -> None:
    for part in split(server)[1:]:
        server.on(part, HANG)
    solution, took = await ask({**context, "deadline": 6})
    assert took <= 12
    assert solution["outcome"] == "partial"
    assert [thread.status for thread in solution["threads"]] == ["answered"] + ["timed_out"] * 7
    assert solution["answer"].startswith("All of it.") and "`deadline`" in solution["stop_reason"]
    assert len(server.calls("review")) == 1
    await server.wait_until_idle()


@pytest.mark.parametrize(
    ("hangs", "outcome", "route"),
    [
        ("assess", "complete", "direct"),
        ("decompose", "complete", "direct"),
        ("review", "partial", "parallel"),
    ],
)
async def test_a_stage_that_hangs_leaves_time_for_an_answer(
    server: ModelServer, context: dict[str, Any], hangs: str, outcome: str, route: str
) -> None:
    split(server, 2)
    if hangs == "decompose":
        # A plan is asked for where the outline has no parts and a split is wanted all the same.
        server.on("assess", outline())
    server.on(hangs, HANG)
    solution, took = await ask({**context, "deadline": 6, "split": "always"})
    assert took <= 12
    assert (solution["outcome"], solution["route"]) == (outcome, route)
    assert solution["answer"] and any(
        "`deadline`" in line for line in (*map(str, solution["report"].repairs), solution["stop_reason"])
    )


@pytest.mark.parametrize("asked", [graph, sequential])
async def test_when_everything_hangs_the_deadline_is_said(
    server: ModelServer, context: dict[str, Any], asked: Any
) -> None:
    for key in ("assess", "direct"):
        server.on(key, HANG)
    solution, took = await ask({**context, "deadline": 1}, asked)
    assert took <= 10 and solution["outcome"] == "failed"
    assert "the run's deadline of 1 s (`deadline`)" in solution["stop_reason"]
    await server.wait_until_idle()


async def test_when_all_threads_hang_no_other_call_is_begun(server: ModelServer, context: dict[str, Any]) -> None:
    for part in split(server, 3):
        server.on(part, HANG)
    solution, took = await ask({**context, "deadline": 6})
    assert took <= 12 and solution["outcome"] == "failed"
    assert [request.role for request in server.asked] == ["assess", *["solve"] * 3]
    assert "leaves no time for more threads" in solution["stop_reason"] and "T3 (" in solution["stop_reason"]


async def test_threads_that_wait_in_line_are_not_begun_when_time_is_up(
    server: ModelServer, context: dict[str, Any]
) -> None:
    for part in split(server, 4):
        server.on(part, HANG)
    solution, took = await ask({**context, "deadline": 6, "max_parallel": 2})
    assert took <= 12 and len(server.calls("solve")) == 2
    assert [thread.status for thread in solution["threads"]] == ["timed_out"] * 4


async def test_waiting_as_long_as_a_server_asks_ends_with_the_deadline(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, 2)
    server.on(PARTS[1], Fault(status=429, headers={"Retry-After": "30"}))
    solution, took = await ask({**context, "deadline": 5})
    assert took <= 12 and solution["outcome"] == "partial"
    assert solution["threads"][0].status == "answered"


async def test_no_round_begins_when_time_is_up(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 2)
    # Threads may work until 16 s have gone.
    server.on("review", Reply(json.dumps(review("", "T2: wrong")), delay=16.1))
    solution, took = await ask({**context, "deadline": 20})
    assert took <= 24 and len(server.calls("solve")) == 2
    assert (solution["outcome"], solution["threads"][1].status) == ("partial", "refuted")
    assert f"answer to {PARTS[0]}" in solution["answer"] and "`deadline`" in solution["stop_reason"]


async def test_a_deadline_that_is_far_off_changes_nothing(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    solution, _ = await ask({**context, "deadline": 600})
    assert (solution["outcome"], solution["stop_reason"]) == ("complete", "")


# Tokens


async def test_a_run_stops_softly_before_its_tokens_are_passed(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 8, prompt_tokens=900, completion_tokens=100)
    limit = 6_500
    few = {"max_total_tokens": limit, "max_parallel": 1, "max_rounds": 0}
    solution, _ = await ask({**context, **few})
    answered = [thread for thread in solution["threads"] if thread.status == "answered"]
    assert 3 <= len(answered) < 8 and len(server.calls("solve")) == len(answered)
    assert solution["outcome"] == "partial" and solution["answer"].startswith("All of it.")
    assert solution["report"].tokens.total <= limit
    assert "`max_total_tokens`" in solution["threads"][-1].error and "`max_total_tokens`" in solution["stop_reason"]


async def test_side_by_side_threads_count_each_other(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 8, prompt_tokens=400, completion_tokens=300, delay=0.2)
    solution, _ = await ask({**context, "max_total_tokens": 4_500, "max_rounds": 0})
    assert solution["report"].tokens.total <= 4_500 and solution["outcome"] == "partial"
    assert 1 <= len(server.calls("solve")) < 5


async def test_no_round_begins_that_the_tokens_do_not_pay(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 2, prompt_tokens=900, completion_tokens=100)
    judged = Reply(json.dumps(review("", "T2: wrong")), prompt_tokens=900, completion_tokens=100)
    server.on("review", judged)
    solution, _ = await ask({**context, "max_total_tokens": 5_000})
    assert len(server.calls("solve")) == 2 and solution["threads"][1].status == "refuted"
    assert "`max_total_tokens`" in solution["stop_reason"] and f"answer to {PARTS[0]}" in solution["answer"]


async def test_a_question_too_large_for_its_tokens_costs_nothing(server: ModelServer, context: dict[str, Any]) -> None:
    solution = await graph.ainvoke({"question": "word " * 2_000}, context={**context, "max_total_tokens": 1_000})
    assert solution["outcome"] == "failed" and "`max_total_tokens`" in solution["stop_reason"]
    assert server.asked == []


# Cancelling


@pytest.mark.at_most(1)
@pytest.mark.parametrize("head_start", ["off", "on"])
async def test_cancelling_at_any_moment_leaves_no_request_open(
    server: ModelServer, context: dict[str, Any], head_start: str
) -> None:
    """A hundred runs, each cancelled at a moment of its own."""
    parts = split(server, 4, delay=0.15)
    for key, value in (("assess", outline(*parts)), ("review", review("All."))):
        server.on(key, Reply(json.dumps(value), delay=0.15))
    server.on(parts[0], Fault(status=500), HANG)
    server.on("direct", HANG)

    async def run(moment: float) -> None:
        task = asyncio.create_task(ask({**context, "hedge": 1, "thread_timeout": 5, "head_start": head_start}))
        await asyncio.wait({task}, timeout=moment)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    before = asyncio.all_tasks()
    for _ in range(5):  # so many at a time that each gets somewhere on a busy machine, too
        await asyncio.gather(*(run(0.1 * number) for number in range(20)))
    async with asyncio.timeout(10):
        await server.wait_until_idle()
    assert len(server.asked) > 60 and sum(request.dropped for request in server.asked) > 30
    assert not [task for task in asyncio.all_tasks() - before if "graphs" in repr(task) or "nodes" in repr(task)]

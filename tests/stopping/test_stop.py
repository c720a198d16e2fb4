"""A person stops one thread of a running question: the run goes on without it, and keeps what it had written."""

import asyncio
import queue
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphs import build_graph, graph, stop_thread
from graphs.page.page import page
from nodes.threads import stopping
from tests.support.server import HANG, STALL, WORDS, Fault, ModelServer, Reply, review
from tests.support.subjects.stopping import BY_A_PERSON, CHAIN, PARTS, QUESTION, Running, begin_early, split


@pytest.fixture(autouse=True)
def nobody_stays_at_work() -> Any:
    yield
    assert not stopping._at_work


async def test_a_running_thread_stops_and_what_it_had_written_is_kept(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, *PARTS)
    server.on(PARTS[1], STALL)
    run = Running(context)
    await run.until_said(WORDS)
    await run.until(("T1", "answered"), ("T3", "answered"))
    assert stop_thread(run.run_id, "T2") and not stop_thread(run.run_id, "T2")
    solution = await run.task
    await server.wait_until_idle()
    (asked,) = server.about(PARTS[1])
    assert asked.dropped and len(server.calls("review")) == 1
    first, stopped, third = solution.threads
    assert (stopped.status, stopped.error, stopped.stopped) == ("failed", BY_A_PERSON, "person")
    assert (stopped.text, stopped.answer, stopped.rounds) == (WORDS.strip(), "", 1) and stopped.latency_s > 0
    assert (first.status, third.status, solution.outcome) == ("answered", "answered", "partial")
    assert f"T2 ({PARTS[1]}): failed: {BY_A_PERSON}" in solution.stop_reason and solution.answer == "All of it."
    assert PARTS[1] in server.calls("review")[0].last
    (call,) = [call for call in solution.calls if call.thread_id == "T2"]
    assert call.status == "cancelled" and solution.report.uncounted == 1
    last = next(event for event in reversed(run.told) if event.get("thread_id") == "T2")
    assert (last["status"], last["stopped"], last["n_done"]) == ("failed", "person", 3)
    assert ">stopped<" in page(solution) and not stop_thread(run.run_id, "T1")


async def test_a_thread_in_the_queue_is_never_asked(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, *PARTS)
    server.on(PARTS[0], STALL)
    run = Running({**context, "max_parallel": 1})
    await run.until(("T1", "running"), ("T3", "queued"))
    assert stop_thread(run.run_id, "T3")
    await run.until(("T3", "failed"))
    assert stop_thread(run.run_id, "T1")
    solution = await run.task
    assert [thread.stopped for thread in solution.threads] == ["person", "", "person"]
    assert [len(server.about(part)) for part in PARTS[:2]] == [1, 1]
    assert (solution.threads[2].text, solution.threads[2].attempts, solution.outcome) == ("", 0, "partial")


@pytest.mark.parametrize("stopped", ["T1", "T2"])
async def test_what_needs_a_stopped_thread_fails_and_neither_runs_again(
    server: ModelServer, context: dict[str, Any], stopped: str
) -> None:
    split(server, *CHAIN)
    server.on(CHAIN[0], HANG) if stopped == "T1" else server.on(CHAIN[0], Reply("Result: Spielberg", delay=0.5))
    server.on(CHAIN[2], Fault(status=400), "Result: Hitchcock")
    run = Running(context)
    await run.until(("T1", "running"), ("T2", "queued"))
    assert stop_thread(run.run_id, stopped)
    solution = await run.task
    first, second, third = solution.threads
    # The other thread that failed has gone back, and alone.
    assert (third.status, third.rounds, solution.report.rounds) == ("answered", 2, 1)
    assert (second.status, second.rounds, server.about(CHAIN[1])) == ("failed", 1, [])
    assert [len(server.about(part)) for part in CHAIN] == [1, 0, 2] and solution.outcome == "partial"
    if stopped == "T1":
        assert (first.stopped, second.stopped) == ("person", "") and "needs the result of T1" in second.error
    else:
        assert (first.status, second.stopped, second.error) == ("answered", "person", BY_A_PERSON)


async def test_a_call_that_had_begun_early_breaks_off_with_its_thread(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, *PARTS)
    for part in PARTS[:2]:
        server.on(part, HANG)
    run = Running({**context, "head_start": "on", "max_parallel": 3}, question=begin_early(server))
    await run.until(("T1", "running"), ("T2", "running"))
    assert [len(server.about(part)) for part in PARTS[:2]] == [1, 1]
    assert stop_thread(run.run_id, "T1") and stop_thread(run.run_id, "T2")
    solution = await run.task
    await server.wait_until_idle()
    assert [asked.dropped for part in PARTS[:2] for asked in server.about(part)] == [True, True]
    calls = [call for call in solution.calls if call.thread_id in ("T1", "T2")]
    assert [(call.ahead, call.status) for call in calls] == [(True, "cancelled")] * 2
    assert solution.outcome == "partial" and solution.threads[2].status == "answered"


async def test_a_thread_that_was_sent_back_is_stopped_in_its_second_round(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, *PARTS)
    server.on("review", review("", "T2: it is wrong"), review("All the rest."))
    server.on(PARTS[1], "Result: 74", STALL)
    run = Running(context)
    await run.until_said(WORDS)
    assert stop_thread(run.run_id, "T2")
    solution = await run.task
    result = solution.threads[1]
    assert (result.status, result.answer, result.stopped, result.rounds) == ("refuted", "74", "person", 2)
    assert result.error == f"it is wrong; sent back, but {BY_A_PERSON}"
    assert solution.outcome == "partial" and solution.report.rounds == 1 and len(server.about(PARTS[1])) == 2


async def test_a_stopped_thread_stays_where_it_is_when_what_it_needs_runs_again(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, *CHAIN)
    server.on("review", review("", "T1: it was another"), review("All of it."))
    server.on(CHAIN[0], "Result: Hitchcock", "Result: Spielberg").on(CHAIN[1], HANG)
    run = Running(context)
    await run.until(("T2", "running"))
    assert stop_thread(run.run_id, "T2")
    solution = await run.task
    assert [len(server.about(part)) for part in CHAIN] == [2, 1, 1] and solution.report.rounds == 1
    assert [thread.stopped for thread in solution.threads] == ["", "person", ""] and solution.outcome == "partial"


async def test_all_threads_stopped_leaves_one_direct_call(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, *PARTS)
    server.on("direct", "As well as I can.")
    for part in PARTS:
        server.on(part, HANG)
    run = Running(context)
    await run.until(*((f"T{number}", "running") for number in (1, 2, 3)))
    assert all(stop_thread(run.run_id, f"T{number}") for number in (1, 2, 3))
    solution = await run.task
    assert (solution.answer, solution.outcome) == ("As well as I can.", "partial")
    assert [len(server.about(part)) for part in PARTS] == [1] * 3


async def test_a_thread_is_stopped_from_another_thread_of_the_process_where_the_run_has_no_loop(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, *PARTS)
    server.on(PARTS[1], HANG)
    ids: queue.Queue[str] = queue.Queue()

    def run() -> Any:
        for mode, event in graph.stream(QUESTION, context=context, stream_mode=["custom", "values"]):
            if mode == "custom" and event.get("thread_id") == "T2" and event["status"] == "running":
                ids.put(event["run_id"])
        return event

    running = asyncio.create_task(asyncio.to_thread(run))
    assert await asyncio.to_thread(lambda: stop_thread(ids.get(timeout=30), "T2"))
    solution = await running
    assert (solution["outcome"], solution["threads"][1].error) == ("partial", BY_A_PERSON)
    assert server.about(PARTS[1])[0].dropped


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
async def test_a_run_that_is_cancelled_while_a_thread_is_stopped_leaves_nothing_open(
    server: ModelServer, context: dict[str, Any], turns: int
) -> None:
    split(server, *PARTS)
    for part in PARTS:
        server.on(part, HANG)
    before = asyncio.all_tasks()
    run = Running({**context, "hedge": 1})
    await run.until(*((f"T{number}", "running") for number in (1, 2, 3)))
    await server.wait_for(3, "solve")
    assert stop_thread(run.run_id, "T2")
    for _ in range(turns):
        await asyncio.sleep(0)
    run.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run.task
    await server.wait_until_idle()
    assert [asked.dropped for asked in server.calls("solve")] == [True] * 3
    left = {repr(task.get_coro()) for task in asyncio.all_tasks() - before}
    assert not {name for name in left if "RequestHandler.start" not in name}


@pytest.mark.parametrize("id", ["T9", "t2", ""])
async def test_who_is_not_at_work_is_not_stopped(server: ModelServer, context: dict[str, Any], id: str) -> None:
    split(server, *PARTS)
    server.on(PARTS[1], Reply("Result: 2", delay=0.3))
    run = Running(context)
    await run.until(("T2", "running"))
    assert not stop_thread(run.run_id, id) and not stop_thread("no run", "T2")
    solution = await run.task
    assert solution.outcome == "complete" and not stop_thread(run.run_id, "T2")


async def test_a_person_may_send_back_what_was_stopped(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, *PARTS)
    server.on("review", review("", "T2: it is wrong"), review("All of it."))
    server.on(PARTS[1], "Result: 1", HANG, Fault(status=400), "Result: 2")
    kept: Any = {"graph": build_graph(checkpointer=InMemorySaver()), "config": {"configurable": {"thread_id": "1"}}}
    run = Running({**context, "oversight": "answer", "max_rounds": 3}, **kept)
    await server.wait_for(4, "solve")
    assert stop_thread(run.run_id, "T2")
    assert (await run.task).outcome == "partial"
    reply: Command[Any] = Command(resume={"action": "send_back", "thread_ids": ["T2"], "note": "After all."})
    again = {**context, "oversight": "answer", "max_rounds": 3}
    await kept["graph"].ainvoke(reply, kept["config"], context=again)
    values = await kept["graph"].ainvoke(Command(resume={"action": "approve"}), kept["config"], context=again)
    # It failed once more, and went back as any thread that nobody has stopped.
    assert (values["outcome"], values["threads"][1].answer, values["threads"][1].stopped) == ("complete", "2", "")


async def test_a_thread_whose_answer_is_being_checked_can_be_stopped(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, *PARTS[:2])
    server.on(f"check: {PARTS[0]}", HANG).on("review", review("All of it."))
    server.on(PARTS[1], Reply("Result: 2", delay=0.5))
    run = Running({**context, "review": "careful"})
    await server.wait_for(1, "check")
    assert stop_thread(run.run_id, "T1")
    solution = await run.task
    stopped, other = solution.threads
    assert (stopped.status, stopped.error, stopped.answer) == ("failed", BY_A_PERSON, "") and "answer" in stopped.text
    assert other.status == "answered" and solution.outcome == "partial" and server.calls("check")[0].dropped
    assert [call.status for call in solution.calls if call.thread_id == "T1"] == ["ok", "cancelled"]

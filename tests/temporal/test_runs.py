"""Runs that workers answer: the same as in one process, watched, stopped, approved, and kept."""

import asyncio
import base64
import json
import os
from typing import Any

import pytest

from graphs import graph
from graphs.build import build_graph
from graphs.streams.answer import ANSWER_MODES, AnswerPiece, read_answer
from graphs.temporal.address import EngineError
from nodes.llm.replies.errors import ConfigurationError
from nodes.state import Solution
from tests.support.server import HANG, STALL, WORDS, Fault, ModelServer, Reply, outline, review
from tests.support.services.temporal import Temporal, workers
from tests.support.subjects.stopping import Running

PARTS = ["What is the capital of France?", "What is 12 * 7?", "Who wrote Hamlet?"]
QUESTION = " ".join(PARTS)
NEEDING = ["Who wrote Faust?", "Where was #1 born?", "When was #1 born?", "What was in #2 in #3?", "Who wrote Emma?"]


def figures(solution: Solution) -> Any:
    """Return what a run came to, as far as it is the same wherever it is made."""
    threads = [(one.id, one.status, one.answer, one.rounds, one.needs) for one in solution.threads]
    report = solution.report
    return solution.answer, solution.outcome, solution.route, threads, report.calls, report.tokens, report.rounds


@pytest.mark.at_most(1)
@pytest.mark.parametrize("parts", [PARTS, NEEDING, []])
async def test_workers_come_to_the_same_as_one_process(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str, parts: list[str]
) -> None:
    server.on("assess", outline(*parts))
    # The first thread is sent back once.
    script = [review("", "T1: More of it."), review("All of it.")] if parts == PARTS else [review("All of it.")]
    server.on("review", *script)
    here = Solution.model_validate(await graph.ainvoke({"question": QUESTION}, context=steady))
    asked = [request.last for request in server.asked]
    server.on("review", *script)
    async with workers(server, engine, store, 2):
        run = Running(steady, graph=build_graph(engine=engine), question=QUESTION)
        there = await run.task
    assert figures(there) == figures(here) and there.outcome == "complete"
    assert sorted(request.last for request in server.asked[len(asked) :]) == sorted(asked)
    assert all(thread.worker for thread in there.threads) and not any(thread.worker for thread in here.threads)
    ended = [event for event in run.told if event.get("status") == "answered"]
    assert [event["n_done"] for event in ended[: len(parts)]] == list(range(1, len(parts) + 1))
    assert {"stage": "assess", "round": 0} in run.told


async def test_the_threads_of_a_run_lie_on_several_workers_and_its_answer_grows(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    together = asyncio.Event()
    server.on("assess", outline(*PARTS)).on("review", Reply(json.dumps(review("It is all of it.")), pace=0.4))
    for part in PARTS:
        server.on(part, Reply(f"Result: {part}", held=together))
    async with workers(server, engine, store, 2, APR_MAX_PARALLEL="8"):
        stream = build_graph(engine=engine).astream({"question": QUESTION}, context=steady)
        events: list[Any] = []

        async def read() -> None:
            async for event in read_answer(stream):
                events.append(event)

        reading = asyncio.create_task(read())
        await server.wait_for(3, "solve")
        together.set()
        await reading
    *pieces, solution = events
    assert isinstance(solution, Solution) and solution.answer == "It is all of it."
    assert len(pieces) > 1 and all(isinstance(piece, AnswerPiece) for piece in pieces)
    assert "".join(piece.text for piece in pieces) == solution.answer and server.peak == 3
    assert ANSWER_MODES


async def test_who_breaks_off_stops_every_request_within_two_seconds(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    server.on("assess", outline(*PARTS))
    for part in PARTS:
        server.on(part, HANG)
    async with workers(server, engine, store, 2):
        run = Running(steady, graph=build_graph(engine=engine), question=QUESTION)
        await server.wait_for(3, "solve")
        assert server.open == 3
        run.task.cancel()
        clock = asyncio.get_running_loop()
        began = clock.time()
        await server.wait_until_idle()
        assert clock.time() - began < 10  # of two seconds, on a busy machine; evals measure it
        with pytest.raises(asyncio.CancelledError):
            await run.task
    assert all(request.dropped for request in server.calls("solve"))


async def test_one_thread_is_stopped_and_the_run_goes_on(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    server.on("assess", outline(*PARTS)).on(PARTS[1], STALL).on("review", review("Without it."))
    elsewhere = build_graph(engine=engine)
    async with workers(server, engine, store):
        config = {"configurable": {"thread_id": "0123456789abcdef"}}
        run = Running(steady, graph=elsewhere, question=QUESTION, config=config)
        await server.wait_for(3, "solve")
        while WORDS.strip() not in run.said:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert await elsewhere.stop_thread("0123456789abcdef", "T2")
        assert not await elsewhere.stop_thread("0123456789abcdef", "T9")
        solution = await run.task
    stopped = solution.threads[1]
    assert (solution.outcome, solution.answer, stopped.stopped) == ("partial", "Without it.", "person")
    assert (stopped.error, stopped.text) == ("stopped by a person", WORDS.strip())


async def test_threads_that_are_not_needed_any_more_are_stopped_wherever_they_are(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    server.on("assess", outline(*PARTS)).on(PARTS[0], HANG).on(PARTS[2], HANG).on("review", review("It is 84."))
    async with workers(server, engine, store, 2):
        elsewhere = build_graph(engine=engine)
        context = {**steady, "stop_when": "first_answer", "max_parallel": 3}
        solution = Solution.model_validate(await elsewhere.ainvoke({"question": QUESTION}, context=context))
    assert [thread.stopped for thread in solution.threads] == ["not_needed", "", "not_needed"]
    assert (solution.outcome, solution.answer) == ("complete", "It is 84.") and server.open == 0
    assert "another thread had answered" in solution.threads[0].error


async def test_nothing_is_begun_early_since_others_may_go_on(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    server.on("assess", Reply(json.dumps(outline()), delay=0.3))
    async with workers(server, engine, store, APR_HEAD_START="on"):
        context = {**steady, "head_start": "on"}
        values = await build_graph(engine=engine).ainvoke({"question": "Why?"}, context=context)
    assert (values["outcome"], values["report"].head_starts) == ("complete", 0)
    assert [request.role for request in server.asked] == ["assess", "direct"]
    assert server.asked[0].ended and server.asked[1].at >= server.asked[0].ended


async def test_no_more_threads_are_at_work_than_the_run_allows(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    parts, two_are_there = [f"What is {number} + {number}?" for number in range(6)], asyncio.Event()
    server.on("assess", outline(*parts)).on("review", review("All of it."))
    for part in parts:
        server.on(part, Reply("Result: so", held=two_are_there, delay=0.1))
    async with workers(server, engine, store, 2):
        context = {**steady, "max_parallel": 2}
        run = asyncio.create_task(build_graph(engine=engine).ainvoke({"question": " ".join(parts)}, context=context))
        await server.wait_for(2, "solve")
        two_are_there.set()
        values = await run
    assert (values["outcome"], server.peak) == ("complete", 2)
    assert values["threads"][5].queued_s >= 0.2


async def test_a_plan_is_approved_though_the_worker_that_asked_has_gone(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    from langgraph.types import Command

    server.on("assess", outline(*PARTS)).on("review", review("Two of it."))
    elsewhere, config = build_graph(engine=engine), {"configurable": {"thread_id": "00000000000000aa"}}
    context = {**steady, "oversight": "plan"}
    async with workers(server, engine, store):
        waiting = await elsewhere.ainvoke({"question": QUESTION}, config, context=context)
        (asked,) = waiting["__interrupt__"]
        assert asked.value["stage"] == "plan" and not server.calls("solve")
        wrong = {asked.id: {"action": "edit", "edits": [{"op": "drop", "thread_ids": ["T9"]}]}}
        (again,) = (await elsewhere.ainvoke(Command(resume=wrong), config))["__interrupt__"]
        assert "T9" in again.value["problem"] and again.value["question"] == QUESTION
        with pytest.raises(EngineError, match="run nobody takes no reply: "):
            await elsewhere.ainvoke(Command(resume=wrong), {"configurable": {"thread_id": "nobody"}})
    async with workers(server, engine, store):
        reply = {"action": "edit", "edits": [{"op": "drop", "thread_ids": ["T2"]}]}
        solution = Solution.model_validate(await elsewhere.ainvoke(Command(resume=reply), config))
    assert [thread.id for thread in solution.threads] == ["T1", "T3"] and solution.answer == "Two of it."
    assert [decision.action for decision in solution.decisions] == ["edit"] and len(server.calls("assess")) == 1


async def test_a_reply_that_nobody_asked_for_is_refused(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    from langgraph.types import Command

    server.on("assess", outline(*PARTS)).on("review", HANG)
    elsewhere, config = build_graph(engine=engine), {"configurable": {"thread_id": "00000000000000ab"}}
    async with workers(server, engine, store):
        run = Running(steady, graph=elsewhere, question=QUESTION, config=config)
        await server.wait_for(1, "review")
        with pytest.raises(EngineError, match="takes no reply: nothing is asked of a person just now"):
            await elsewhere.ainvoke(Command(resume={"action": "approve"}), config)
        run.task.cancel()


async def test_long_documents_do_not_go_through_temporal_and_nothing_there_can_be_read(
    server: ModelServer,
    temporal: Temporal,
    steady: dict[str, Any],
    engine: str,
    store: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from temporalio.client import Client

    key = base64.urlsafe_b64encode(os.urandom(32)).decode()
    monkeypatch.setenv("APR_TEMPORAL_KEY", key)
    documents = [{"id": f"{name}.txt", "text": f"Of {name}: " + "so it is. " * 60_000} for name in ("one", "two")]
    server.on("assess", outline("1: What is one?", "2: What is two?")).on("review", review("All of it."))
    async with workers(server, engine, store, APR_TEMPORAL_KEY=key):
        config = {"configurable": {"thread_id": "00000000000000bb"}}
        asked = {"question": "What are they?", "documents": documents}
        values = await build_graph(engine=engine).ainvoke(asked, config, context=steady)
    assert values["outcome"] == "complete"
    assert [request.last.count("so it is. ") for request in server.calls("solve")] == [60_000] * 2
    client = await Client.connect(temporal.address)
    history = await client.get_workflow_handle("00000000000000bb").fetch_history()
    written = history.to_json()
    assert "What is one?" not in base64_decoded(written) and len(written) < 200_000


def base64_decoded(history: str) -> str:
    """Return all that stands in a history, payloads included."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.extend(base64.b64decode(data).decode("latin-1") for data in [value.get("data")] if data)
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(json.loads(history))
    assert found
    return history + "".join(found)


async def test_a_setting_that_is_the_workers_to_choose_is_refused_in_words(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    async with workers(server, engine, store):
        elsewhere = build_graph(engine=engine)
        with pytest.raises(ConfigurationError, match="`base_url` is not a request's to choose"):
            await elsewhere.ainvoke({"question": "Why?"}, context={**steady, "base_url": "http://127.0.0.1:9/v1"})
        with pytest.raises(ValueError, match="`question` is blank"):
            await elsewhere.ainvoke({"question": " "}, context=steady)
    assert not server.asked


async def test_a_failing_thread_costs_only_itself(
    server: ModelServer, steady: dict[str, Any], engine: str, store: str
) -> None:
    server.on("assess", outline(*PARTS)).on(PARTS[1], Fault(400)).on("review", review("Two of it."))
    async with workers(server, engine, store):
        context = {**steady, "max_rounds": 0}
        values = await build_graph(engine=engine).ainvoke({"question": QUESTION}, context=context)
    assert (values["outcome"], values["answer"]) == ("partial", "Two of it.")
    assert [thread.status for thread in values["threads"]] == ["answered", "failed", "answered"]

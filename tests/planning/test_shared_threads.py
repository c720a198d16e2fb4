"""More parts than threads: parts share a thread, each with a call and a result of its own."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graphs import build_graph, graph
from tests.support.server import HANG, Fault, ModelServer, Reply, outline, review

PARTS = [f"What is part {number}?" for number in range(1, 6)]
QUESTION = {"question": "Tell me all."}
ANSWERS = [f"answer to {part}" for part in PARTS]


@pytest.fixture
def shared(server: ModelServer, context: dict[str, Any]) -> dict[str, Any]:
    """Settings with room for two threads: of five parts the first has three, the second two."""
    server.on("assess", outline(*PARTS, answer="list")).on("review", review())
    return {**context, "max_threads": 2}


async def ask(context: dict[str, Any], use: Any = graph, problem: Any = QUESTION) -> Any:
    return await use.ainvoke(problem, context=context)


def asked(server: ModelServer) -> list[int]:
    return [len(server.about(part)) for part in PARTS]


async def test_each_part_has_a_call_and_a_result(server: ModelServer, shared: dict[str, Any]) -> None:
    for part, answer in zip(PARTS, ANSWERS, strict=True):
        server.on(part, Reply(f"Thinking.\nResult: {answer}", delay=0.1, completion_tokens=7))
    solution = await ask(shared)
    first, second = solution["threads"]
    assert (first.answers, second.answers) == (ANSWERS[:3], ANSWERS[3:])
    assert first.answer == "\n".join(ANSWERS[:3]) and first.text.count("Thinking.") == 3
    assert first.subquestion == "\n".join(PARTS[:3])
    assert (first.attempts, second.attempts, first.usage.output, second.usage.output) == (3, 2, 21, 14)
    assert asked(server) == [1] * 5 and server.peak == 2
    assert solution["answer"] == "\n".join(ANSWERS) and solution["outcome"] == "complete"
    report = solution["report"]
    assert [repair.kind for repair in report.repairs] == ["shared_thread"]
    # What one call would have written: every part's words.
    assert (report.calls, report.threads_used, report.retries, report.estimate.output) == (7, 2, 0, 35)


async def test_each_part_reads_only_its_own_material(server: ModelServer, shared: dict[str, Any]) -> None:
    names = [f"{name}.py" for name in "abcd"]
    documents = [{"id": name, "text": f"the text of {name}"} for name in names]
    server.on("assess", outline(*(f"{number}: Is {name} sound?" for number, name in enumerate(names, 1))))
    server.on("review", review("All of it."))
    solution = await ask(shared, problem={**QUESTION, "documents": documents})
    assert [thread.sources for thread in solution["plan"].threads] == [[1, 2], [3, 4]]
    for name in names:
        (request,) = server.about(f"Is {name} sound?")
        assert [other for other in names if f"the text of {other}" in request.last] == [name]


async def test_a_part_that_fails_costs_only_its_thread(server: ModelServer, shared: dict[str, Any]) -> None:
    server.on(PARTS[1], Fault(status=400))
    solution = await ask({**shared, "max_rounds": 0})
    assert [thread.status for thread in solution["threads"]] == ["failed", "answered"]
    assert "HTTP 400" in solution["threads"][0].error and solution["threads"][1].answers == ANSWERS[3:]
    assert solution["outcome"] == "partial" and asked(server) == [1, 1, 0, 1, 1]
    assert solution["answer"] == "\n".join(ANSWERS[3:]) and "- T1 (" in solution["stop_reason"]


async def test_a_thread_that_failed_runs_again_with_all_its_parts(server: ModelServer, shared: dict[str, Any]) -> None:
    server.on(PARTS[1], Fault(status=400), f"Result: {ANSWERS[1]}")
    solution = await ask(shared)
    assert (solution["outcome"], solution["answer"]) == ("complete", "\n".join(ANSWERS))
    assert asked(server) == [2, 2, 1, 1, 1]
    first = solution["threads"][0]
    assert (first.answers, first.attempts, first.rounds) == (ANSWERS[:3], 5, 2)


async def test_a_shared_thread_that_is_sent_back_is_told_why_for_each_part(
    server: ModelServer, shared: dict[str, Any]
) -> None:
    server.on("review", review("", "T2: part 5 is wrong"), review())
    server.on(PARTS[4], "Result: wrong", "Result: right")
    solution = await ask(shared)
    assert solution["answer"] == "\n".join([*ANSWERS[:4], "right"]) and asked(server) == [1, 1, 1, 2, 2]
    assert ["part 5 is wrong" in request.last for request in server.about(PARTS[4])] == [False, True]


async def test_the_time_limit_is_that_of_the_whole_thread(server: ModelServer, shared: dict[str, Any]) -> None:
    for part in PARTS[:3]:
        server.on(part, Reply("Result: late", delay=0.6))
    solution = await ask({**shared, "thread_timeout": 1.5, "max_rounds": 0})
    assert [thread.status for thread in solution["threads"]] == ["timed_out", "answered"]
    assert "within 1.5 s (`thread_timeout`)" in solution["threads"][0].error


async def test_parts_that_speak_alike_do_not_repeat_themselves(server: ModelServer, shared: dict[str, Any]) -> None:
    alike = " ".join(f"word{number}" for number in range(120))
    for part, answer in zip(PARTS, ANSWERS, strict=True):
        server.on(part, f"{alike}\nResult: {answer}")
    solution = await ask(shared)
    assert [thread.marks for thread in solution["threads"]] == [[], []]
    assert solution["report"].rounds == 0 and asked(server) == [1] * 5


async def test_the_cache_keeps_the_result_of_each_part(server: ModelServer, shared: dict[str, Any]) -> None:
    cached = {**shared, "cache": True}
    first, second = await ask(cached), await ask(cached)
    assert asked(server) == [1] * 5 and second["report"].cached == 2
    assert [thread.answers for thread in second["threads"]] == [ANSWERS[:3], ANSWERS[3:]]
    assert second["answer"] == first["answer"] == "\n".join(ANSWERS)
    # Other parts, other threads.
    server.on("assess", outline(*PARTS[:4], answer="list"))
    assert (await ask(cached))["answer"] == "\n".join(ANSWERS[:4]) and asked(server) == [2, 2, 2, 2, 1]


async def test_a_resumed_run_asks_no_part_of_a_finished_thread_again(
    server: ModelServer, shared: dict[str, Any]
) -> None:
    server.on(PARTS[4], HANG)
    use, config = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "one"}}
    finished = asyncio.Event()

    async def run() -> None:
        async for event in use.astream(QUESTION, config, context=shared, stream_mode="tasks"):
            if event["name"] == "solve" and "result" in event:
                finished.set()

    running = asyncio.create_task(run())
    await finished.wait()
    await server.wait_for(5, "solve")
    running.cancel()
    await asyncio.wait({running})
    server.on(PARTS[4], f"Result: {ANSWERS[4]}")
    solution = await use.ainvoke(None, config, context=shared)
    assert (solution["outcome"], solution["answer"]) == ("complete", "\n".join(ANSWERS))
    assert asked(server) == [1, 1, 1, 2, 2]
    assert [thread.answers for thread in solution["threads"]] == [ANSWERS[:3], ANSWERS[3:]]

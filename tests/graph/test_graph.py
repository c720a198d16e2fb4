"""The whole graph, against a real server on the loopback interface."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import ValidationError

from graphs import build_graph, graph, sequential
from tests.support.server import HANG, Fault, ModelServer, Reply, outline, review

PARTS = [f"What is part {number}?" for number in range(1, 9)]


def split(server: ModelServer, count: int) -> list[str]:
    """Script a question of `count` parts."""
    parts = PARTS[:count]
    server.on("assess", outline(*parts))
    return parts


async def ask(context: dict[str, Any], question: str = "Tell me all.", **more: Any) -> Any:
    return await graph.ainvoke({"question": question, **more}, context=context)


async def test_a_question_without_parts_is_answered_in_one_call(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", "Paris.")
    solution = await ask(context)
    assert (solution["answer"], solution["outcome"], solution["route"]) == ("Paris.", "complete", "direct")
    assert [request.role for request in server.asked] == ["assess", "direct"]
    assert solution["threads"] == [] and solution["plan"] is None
    assert solution["report"].tokens.total == server.usage["input"] + server.usage["output"] == 30


async def test_independent_parts_run_side_by_side(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 3)
    solution = await ask(context)
    assert (solution["outcome"], solution["route"], solution["answer"]) == ("complete", "parallel", "All of it.")
    assert [thread.id for thread in solution["threads"]] == ["T1", "T2", "T3"]
    assert solution["threads"][0]["answer"] == "answer to What is part 1?"
    report = solution["report"]
    assert (report.calls, report.rounds, report.threads_planned, report.threads_used) == (5, 0, 3, 3)
    assert report.tokens.input == server.usage["input"]


async def test_dead_threads_cost_only_themselves(server: ModelServer, context: dict[str, Any]) -> None:
    parts = split(server, 8)
    server.on(parts[2], Fault(status=500))
    server.on(parts[4], HANG)
    server.on(parts[6], "", "Result: at last")
    solution = await ask({**context, "thread_timeout": 8, "max_rounds": 1})
    by_id = {thread.id: thread for thread in solution["threads"]}
    assert solution["outcome"] == "partial"
    assert [id for id, thread in by_id.items() if thread.status == "answered"] == ["T1", "T2", "T4", "T6", "T7", "T8"]
    assert (by_id["T7"].attempts, by_id["T7"].answer) == (2, "at last")
    assert (by_id["T3"].status, by_id["T5"].status) == ("failed", "timed_out")
    assert "HTTP 500" in by_id["T3"].error and "8 s" in by_id["T5"].error
    for id in ("T3", "T5"):
        assert f"- {id} (What is part {id[1]}?): " in solution["stop_reason"]
        assert by_id[id].error in solution["stop_reason"]


async def test_only_named_threads_run_again(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 6)
    server.on("review", review("", "T2: wrong sum", "t5 - no unit"), review("Done."))
    solution = await ask(context)
    assert solution["outcome"] == "complete" and solution["answer"] == "Done."
    again = {request.key: request.last for request in server.calls("solve")[6:]}
    assert sorted(again) == [PARTS[1], PARTS[4]]
    assert "wrong sum" in again[PARTS[1]] and "no unit" not in again[PARTS[1]] and "no unit" in again[PARTS[4]]
    assert [thread.rounds for thread in solution["threads"]] == [1, 2, 1, 1, 2, 1]


async def test_when_every_thread_fails_one_direct_call_answers(server: ModelServer, context: dict[str, Any]) -> None:
    for part in split(server, 3):
        server.on(part, Fault(status=400))
    server.on("direct", "Told at once.")
    solution = await ask({**context, "max_rounds": 1})
    assert (solution["outcome"], solution["route"]) == ("partial", "parallel")
    assert solution["answer"] == "Told at once."
    assert [thread.status for thread in solution["threads"]] == ["failed"] * 3
    assert all(f"T{number} (" in solution["stop_reason"] for number in (1, 2, 3))
    assert [request.role for request in server.asked].count("direct") == 1
    assert server.calls("review") == []


async def test_when_nothing_answers_the_run_fails_with_the_reasons(
    server: ModelServer, context: dict[str, Any]
) -> None:
    for part in split(server, 2):
        server.on(part, Fault(status=400))
    server.on("direct", Fault(status=400))
    solution = await ask({**context, "max_rounds": 0})
    assert (solution["outcome"], solution["answer"]) == ("failed", "")
    assert "T1 (" in solution["stop_reason"] and "direct:" in solution["stop_reason"]


async def test_rounds_end_and_the_answer_is_written_from_what_stands(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, 2)
    server.on("review", review("Half of it.", "T2: wrong"))
    solution = await ask({**context, "max_rounds": 2})
    assert len(server.calls("review")) == 3 and len(server.about(PARTS[1])) == 3 and len(server.about(PARTS[0])) == 1
    assert (solution["outcome"], solution["threads"][1].status) == ("partial", "refuted")
    assert solution["answer"] == "Half of it." and "refuted by the review: wrong" in solution["stop_reason"]


async def test_what_is_missing_in_the_end_is_told_to_the_reviewer_and_by_it(
    server: ModelServer, context: dict[str, Any]
) -> None:
    parts = split(server, 3)
    server.on(parts[1], Fault(status=400)).on("review", review("Two of three."))
    solution = await ask({**context, "max_rounds": 1})
    first, last = server.calls("review")
    assert "run again, so leave `answer` empty:\n- T2 (" in first.last
    assert "Missing, to be said in the answer:\n- T2 (What is part 2?): failed: " in last.last
    assert solution["outcome"] == "partial" and solution["answer"] == "Two of three."


async def test_what_the_reviewer_says_nothing_of_stands(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 2)
    server.on("review", review("Both."))
    solution = await ask(context)
    assert (solution["outcome"], solution["answer"]) == ("complete", "Both.")
    assert len(server.calls("solve")) == 2 and solution["reviews"][0].redo == []


async def test_without_a_review_the_results_are_joined(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 2)
    server.on("join", "Put together.")
    solution = await ask({**context, "review": "off"})
    assert (solution["answer"], solution["outcome"]) == ("Put together.", "complete")
    assert [request.role for request in server.asked] == ["assess", "solve", "solve", "join"]


async def test_a_review_that_fails_leaves_a_partial_answer_of_all_results(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, 2)
    server.on("review", Fault(status=400))
    solution = await ask(context)
    assert solution["outcome"] == "partial" and "unreviewed" in solution["stop_reason"]
    assert solution["answer"] == "\n\n".join(f"{part}\nanswer to {part}" for part in PARTS[:2])


async def test_a_retry_that_fails_keeps_the_refuted_answer(server: ModelServer, context: dict[str, Any]) -> None:
    parts = split(server, 2)
    server.on(parts[1], "Result: 94", Fault(status=400))
    server.on("review", review("", "T2: it is 84"), review("Only one."))
    solution = await ask({**context, "max_rounds": 1})
    kept = solution["threads"][1]
    assert (kept.status, kept.answer, kept.rounds) == ("refuted", "94", 2)
    assert "it is 84" in kept.error and "HTTP 400" in kept.error


async def test_at_most_max_parallel_run_and_waiting_is_not_counted(
    server: ModelServer, context: dict[str, Any]
) -> None:
    for part in split(server, 6):
        server.on(part, Reply(f"Result: {part}", delay=0.4))
    solution = await ask({**context, "max_parallel": 2, "thread_timeout": 1})
    assert solution["outcome"] == "complete" and server.peak == 2
    assert solution["report"].peak_parallel == 2
    last = solution["threads"][-1]
    assert last.queued_s > last.latency_s > 0.3


@pytest.mark.parametrize(
    ("parts", "merged"),
    [
        (["One?"], 0),
        (["One?", "one"], 1),
        (["1", "[1]"], 1),
        (["One?", "What of #1?"], 0),
        (["One?", "What of #1?", "And of #2?"], 0),
        (["9", "8", "One?"], 0),
        (["", " "], 0),
    ],
    ids=["one", "the same", "one segment", "a step", "a chain", "nothing there", "blank"],
)
async def test_what_has_fewer_than_two_parts_at_once_costs_one_more_call(
    server: ModelServer, context: dict[str, Any], parts: list[str], merged: int
) -> None:
    server.on("assess", outline(*parts)).on("direct", "So.")
    solution = await ask({**context, "split": "if_independent"})
    assert (solution["route"], solution["outcome"], solution["threads"]) == ("direct", "complete", [])
    assert [request.role for request in server.asked] == ["assess", "direct"]
    assert not solution["assessment"].decomposable
    assert sum(repair.kind == "merged" for repair in solution["report"].repairs) == merged


async def test_only_short_results_travel_to_the_join(server: ModelServer, context: dict[str, Any]) -> None:
    parts = split(server, 2)
    server.on(parts[0], "A long way of thinking.\nResult: 42")
    await ask(context)
    (join,) = server.calls("review")
    assert '"result": "42"' in join.last and "long way" not in join.last


async def test_without_context_the_environment_decides(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APR_MODEL", "openai:scripted")
    monkeypatch.setenv("APR_BASE_URL", server.url)
    solution = await graph.ainvoke({"question": "Why?"})
    assert solution["outcome"] == "complete" and len(server.asked) == 2


async def test_the_baseline_asks_once_and_answers_in_the_same_shape(
    server: ModelServer, context: dict[str, Any]
) -> None:
    baseline = await sequential.ainvoke({"question": "Why?"}, context=context)
    adaptive = await ask(context, "Why?")
    assert set(baseline) == set(adaptive) and baseline["outcome"] == "complete"
    assert baseline["report"].calls == 1 and server.asked[0].role == "direct"


@pytest.mark.parametrize("mode", ["values", "updates", "messages", "custom", "tasks"])
async def test_a_failing_thread_breaks_no_stream(server: ModelServer, context: dict[str, Any], mode: Any) -> None:
    parts = split(server, 3)
    server.on(parts[1], Fault(status=400))
    seen = [event async for event in graph.astream({"question": "All?"}, context=context, stream_mode=mode)]
    assert seen and len(server.calls("review")) >= 1


async def test_custom_events_tell_how_each_thread_stands(server: ModelServer, context: dict[str, Any]) -> None:
    parts = split(server, 2)
    server.on(parts[1], Fault(status=400))
    events = [
        event
        async for event in graph.astream(
            {"question": "All?"}, context={**context, "max_rounds": 0}, stream_mode="custom"
        )
    ]
    told = [event for event in events if event.get("thread_id") == "T2"]
    assert [event["status"] for event in told] == ["queued", "running", "failed"]
    known = {"run_id", "thread_id", "subquestion", "status", "round", "n_done", "n_total", "tokens"}
    assert set(told[0]) == known and len({event["run_id"] for event in told}) == 1
    assert max(event.get("n_done", 0) for event in events) == 2


async def test_a_new_question_on_the_same_thread_keeps_nothing_of_the_last(
    server: ModelServer, context: dict[str, Any]
) -> None:
    kept = build_graph(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    split(server, 3)
    await kept.ainvoke({"question": "First?"}, config, context=context)
    server.on("assess", outline()).on("direct", "Second.")
    second = await kept.ainvoke({"question": "Second?"}, config, context=context)
    assert (second["answer"], second["route"], second["threads"], second["plan"]) == ("Second.", "direct", [], None)
    assert second["report"].calls == len(second["calls"]) == 2
    third = await kept.ainvoke({"question": "Third? " * 1_000}, config, context={**context, "max_total_tokens": 1_000})
    assert (third["outcome"], third["report"].calls, third["calls"]) == ("failed", 0, [])


@pytest.mark.parametrize(
    ("input", "said"),
    [
        ({"question": ""}, "`question` is blank"),
        ({"question": "x" * 100_001}, "the limit is 100,000"),
        ({"question": "x", "documents": [{"id": "a", "text": " "}]}, "'a' is empty"),
        ({"question": "x", "documents": [{"id": "a", "text": "b"}] * 2}, "'a' occurs twice"),
        ({"question": "x", "documents": [{"id": "a", "text": "b" * 5_000_001}]}, "the limit is 5,000,000"),
    ],
)
async def test_bad_input_is_refused_before_any_call(
    server: ModelServer, context: dict[str, Any], input: Any, said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        await graph.ainvoke(input, context=context)
    assert server.asked == []

"""The whole graph, against a real server on the loopback interface."""

from typing import Any

from graphs import graph
from tests.server import HANG, Fault, ModelServer, assessment, plan, review

PARTS = [f"What is part {number}?" for number in range(1, 9)]


def split(server: ModelServer, count: int, **options: Any) -> list[str]:
    """Script a question of `count` parts."""
    parts = PARTS[:count]
    server.on("assess", assessment(*parts)).on("decompose", plan(*parts, **options))
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
    assert (report.calls, report.rounds, report.threads_planned, report.threads_used) == (6, 0, 3, 3)
    assert report.tokens.input == server.usage["input"]


async def test_dead_threads_cost_only_themselves(server: ModelServer, context: dict[str, Any]) -> None:
    parts = split(server, 8)
    server.on(parts[2], Fault(status=500))
    server.on(parts[4], HANG)
    server.on(parts[6], "", "Result: at last")
    solution = await ask({**context, "thread_timeout": 4, "max_rounds": 1})
    by_id = {thread.id: thread for thread in solution["threads"]}
    assert solution["outcome"] == "partial"
    assert [id for id, thread in by_id.items() if thread.status == "answered"] == ["T1", "T2", "T4", "T6", "T7", "T8"]
    assert (by_id["T7"].attempts, by_id["T7"].answer) == (2, "at last")
    assert (by_id["T3"].status, by_id["T5"].status) == ("failed", "timed_out")
    assert "HTTP 500" in by_id["T3"].error and "4 s" in by_id["T5"].error
    for id in ("T3", "T5"):
        assert f"{id} (" in solution["answer"] and by_id[id].error in solution["answer"]


async def test_only_named_threads_run_again(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 6)
    server.on(
        "review",
        review(T1="accept", T2="retry: wrong sum", T3="accept", T4="accept", T5="retry: no unit", T6="could_not_judge"),
        review("Done.", T2="accept", T5="accept"),
    )
    solution = await ask(context)
    assert solution["outcome"] == "complete" and solution["answer"] == "Done."
    again = server.calls("solve")[6:]
    assert sorted(request.key for request in again) == [PARTS[1], PARTS[4]]
    assert [("wrong sum" in request.last, "no unit" in request.last) for request in again] in (
        [(True, False), (False, True)],
        [(False, True), (True, False)],
    )
    assert [thread.rounds for thread in solution["threads"]] == [1, 2, 1, 1, 2, 1]

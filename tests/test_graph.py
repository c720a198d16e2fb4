"""The whole graph, against a real server on the loopback interface."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import ValidationError

from graphs import build_graph, graph, sequential
from tests.server import HANG, Fault, ModelServer, Reply, outline, review

PARTS = [f"What is part {number}?" for number in range(1, 9)]


def split(server: ModelServer, count: int, **options: Any) -> list[str]:
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


async def test_when_every_thread_fails_one_direct_call_answers(server: ModelServer, context: dict[str, Any]) -> None:
    for part in split(server, 3):
        server.on(part, Fault(status=400))
    server.on("direct", "Told at once.")
    solution = await ask({**context, "max_rounds": 1})
    assert (solution["outcome"], solution["route"]) == ("partial", "parallel")
    assert solution["answer"].startswith("Told at once.")
    assert [thread.status for thread in solution["threads"]] == ["failed"] * 3
    assert all(f"T{number} (" in solution["answer"] for number in (1, 2, 3))
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
    server.on("review", review("Half of it.", T1="accept", T2="retry: wrong"))
    solution = await ask({**context, "max_rounds": 2})
    assert len(server.calls("review")) == 3 and len(server.about(PARTS[1])) == 3 and len(server.about(PARTS[0])) == 1
    assert (solution["outcome"], solution["threads"][1].status) == ("partial", "refuted")
    assert solution["answer"].startswith("Half of it.") and "refuted by the review: wrong" in solution["answer"]
    assert "Rounds left: 0" in server.calls("review")[-1].last


async def test_what_could_not_be_judged_stands(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 2)
    server.on("review", review("Both.", T1="could_not_judge", T2="could_not_judge"))
    solution = await ask(context)
    assert (solution["outcome"], solution["answer"]) == ("complete", "Both.")
    assert len(server.calls("solve")) == 2


async def test_contradicting_threads_run_again_with_the_claim(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, 3)
    clash = {"thread_ids": ["T1", "T3"], "claim": "the year it opened"}
    server.on(
        "review",
        review("", [clash], T1="accept", T2="accept", T3="accept"),
        review("Settled.", T1="accept", T3="accept"),
    )
    solution = await ask(context)
    assert sorted(request.key for request in server.calls("solve")[3:]) == [PARTS[0], PARTS[2]]
    assert all("the year it opened" in request.last for request in server.calls("solve")[3:])
    assert (solution["outcome"], solution["contradictions"]) == ("complete", [])


async def test_a_review_that_fails_leaves_a_partial_answer_of_all_results(
    server: ModelServer, context: dict[str, Any]
) -> None:
    split(server, 2)
    server.on("review", Fault(status=400))
    solution = await ask(context)
    assert solution["outcome"] == "partial" and "unreviewed" in solution["stop_reason"]
    assert all(f"answer to {part}" in solution["answer"] for part in PARTS[:2])


async def test_a_retry_that_fails_keeps_the_refuted_answer(server: ModelServer, context: dict[str, Any]) -> None:
    parts = split(server, 2)
    server.on(parts[1], "Result: 94", Fault(status=400))
    server.on("review", review(T1="accept", T2="retry: it is 84"), review("Only one.", T1="accept"))
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


async def test_a_plan_with_one_thread_goes_the_direct_way(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", assessment("one", "two")).on("decompose", plan("one", "One"))
    solution = await ask(context)
    assert (solution["route"], solution["outcome"], solution["threads"]) == ("direct", "complete", [])
    assert "thread T2: merged with its duplicate T1" in solution["report"].repairs
    assert len(server.calls("direct")) == 1 and server.calls("solve") == []


async def test_a_stage_that_was_passed_over_is_reported(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", assessment("one", "two")).on("decompose", Reply("I will not.", refusal="no"))
    solution = await ask(context)
    assert (solution["route"], solution["outcome"]) == ("direct", "complete")
    assert any(line.startswith("decompose: ") and "refused" in line for line in solution["report"].repairs)


async def test_a_thread_sees_what_is_its_own_and_nothing_of_the_others(
    server: ModelServer, context: dict[str, Any]
) -> None:
    question = "Answer in French. How old is Ada? How tall is Bo?"
    documents = [{"id": "ada.txt", "text": "Ada was born in 1990."}, {"id": "bo.txt", "text": "Bo measures 180 cm."}]
    server.on("assess", assessment("Ada?", "Bo?")).on("decompose", plan("Ada?", "Bo?", sources=[[2, 4], [3, 5]]))
    await ask(context, question, documents=documents, instructions="Be kind.")
    ada, bo = server.about("Ada?")[0], server.about("Bo?")[0]
    for request in (ada, bo):
        assert "Answer in French." in request.last and "Be kind." in request.last
    assert "born in 1990" in ada.last and "How old is Ada?" in ada.last
    assert "180 cm" not in ada.prompt and "tall" not in ada.prompt
    assert "180 cm" in bo.last and "Ada" not in bo.last


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
    assert set(told[0]) == {"thread_id", "subquestion", "status", "round", "n_done", "n_total", "tokens"}
    assert max(event.get("n_done", 0) for event in events) == 2


async def test_a_new_question_on_the_same_thread_keeps_nothing_of_the_last(
    server: ModelServer, context: dict[str, Any]
) -> None:
    kept = build_graph(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    split(server, 3)
    await kept.ainvoke({"question": "First?"}, config, context=context)
    server.on("assess", {**assessment(), "decomposable": False}).on("direct", "Second.")
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


LISTED = "Work these out.\n1. Two and two?\n2. Three and four?"


async def of_a_list(server: ModelServer, context: dict[str, Any], question: str, *sources: int) -> Any:
    threads = [{"id": f"T{n}", "sources": [number], "subquestion": f"Sum {n}?"} for n, number in enumerate(sources, 1)]
    server.on("assess", assessment("a", "b")).on("decompose", {**plan("a", "b"), "threads": threads})
    server.on("Sum 1?", "Result: 4").on("Sum 2?", "Result: 7").on("review", review("Perhaps 5."))
    return await graph.ainvoke({"question": question}, context=context)


async def test_a_list_is_answered_by_its_threads_own_results(server: ModelServer, context: dict[str, Any]) -> None:
    solution = await of_a_list(server, context, LISTED, 2, 3)
    assert (solution["answer"], solution["outcome"]) == ("1. 4\n2. 7", "complete")
    assert "leave `answer` empty" in server.calls("review")[0].prompt
    unreviewed = await of_a_list(server, {**context, "review": False}, LISTED, 3, 2)
    assert unreviewed["answer"] == "1. 7\n2. 4" and not server.calls("join")


async def test_what_is_asked_after_a_list_is_answered_by_the_review(
    server: ModelServer, context: dict[str, Any]
) -> None:
    solution = await of_a_list(server, context, f"{LISTED}\n\nWhich is more?", 2, 3)
    assert solution["answer"] == "Perhaps 5." and "leave `answer` empty" not in server.calls("review")[0].prompt


FILES = [{"id": name, "text": f"Text of {name}."} for name in ("b.py", "a.py")]


async def of_files(
    server: ModelServer, context: dict[str, Any], question: str, *sources: list[int], first: str = "Result: a loop"
) -> Any:
    threads = [{"id": f"T{n}", "sources": read, "subquestion": f"Bug {n}?"} for n, read in enumerate(sources, 1)]
    server.on("assess", assessment("a", "b")).on("decompose", {**plan("a", "b"), "threads": threads})
    server.on("Bug 1?", first).on("Bug 2?", "Result: a sign").on("review", review("In short."))
    return await graph.ainvoke({"question": question, "documents": FILES}, context=context)


@pytest.mark.parametrize(
    "question", ["Which bug does each of these files have?", "Find the bug of every file. Say how to mend it."]
)
async def test_what_is_asked_of_each_document_is_answered_by_its_threads_own_results(
    server: ModelServer, context: dict[str, Any], question: str
) -> None:
    asked = question.count(".") or 1
    solution = await of_files(server, context, question, [1, asked + 2], [1, asked + 1])
    assert (solution["answer"], solution["outcome"]) == ("b.py: a sign\na.py: a loop", "complete")
    assert "leave `answer` empty" in server.calls("review")[0].prompt


async def test_entries_of_several_lines_stand_apart(server: ModelServer, context: dict[str, Any]) -> None:
    solution = await of_files(server, context, "Which bug does each file have?", [2], [3], first="Result: a loop:\nend")
    assert solution["answer"] == "b.py: a loop:\nend\n\na.py: a sign"


@pytest.mark.parametrize(
    ("question", "sources"),
    [
        ("Which bug does each file have, and which is the worst?", ([2], [3])),
        ("Which bug does each file have? Which should be mended?", ([3], [4])),
        ("Which bugs do these files have?", ([2], [3])),
        ("Which bug does each file have?", ([2, 3], [3])),
        ("Which bug does each file have?", ([2], [1])),
    ],
    ids=["the worst", "another question", "not of each", "read by two", "read by none"],
)
async def test_what_is_asked_beyond_each_document_is_answered_by_the_review(
    server: ModelServer, context: dict[str, Any], question: str, sources: tuple[list[int], ...]
) -> None:
    solution = await of_files(server, context, question, *sources)
    assert solution["answer"] == "In short." and "leave `answer` empty" not in server.calls("review")[0].prompt

"""The context window: how much of it is used, and threads for which it is too small."""

import json
import re
from typing import Any

import pytest

from graphs import graph, sequential
from nodes.state import Solution
from tests.support.server import Fault, ModelServer, Reply, Step, outline, plan, review

PARTS = ["What is one?", "What does long.txt say?", "What is three?"]
LONG = "\n\n".join(f"Paragraph {number}. " + "It says a little more. " * 15 for number in range(30))
DOCUMENTS = [
    {"id": "long.txt", "text": LONG},
    {"id": "note.txt", "text": "What is one? What is three? Both are numbers."},
]
LOOP = "over and over again " * 60


async def ask(context: dict[str, Any], **more: Any) -> Solution:
    problem = {"question": "What is one? What does the file say? What is three?", "documents": DOCUMENTS, **more}
    return Solution.model_validate(await graph.ainvoke(problem, context=context))


def split(server: ModelServer) -> None:
    server.on("assess", outline(f"1 5: {PARTS[0]}", f"4: {PARTS[1]}", f"3 5: {PARTS[2]}"))


def material(prompt: str) -> str:
    """What a thread was given of the document, in one piece."""
    return "".join(re.findall(r"<document long\.txt \(\d+/\d+\)>\n(.*?)\n</document>", prompt, re.DOTALL))


async def test_a_thread_whose_sources_do_not_fit_is_split_then_answered(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.window = 2_000
    split(server)
    solution = await ask(context)
    assert solution.outcome == "complete" and solution.stop_reason == ""
    into = solution.report.refined["T2"]
    assert [thread.id for thread in solution.threads] == ["T1", *into, "T3"] and len(into) > 2
    assert all(thread.status == "answered" and thread.rounds == 1 for thread in solution.threads)
    assert (solution.report.rounds, solution.report.marks) == (1, {"T2": ["too_long"]})
    # The large thread was asked once, its smaller ones once each, its siblings not again.
    assert len(server.calls("solve")) == 1 + len(into) + 2 and len(server.calls("refine")) == 1
    read = [material(request.last) for request in server.calls("solve")[3:]]
    assert "".join(read).split() == LONG.split() and all(read)
    labels = [source.label for source in solution.sources[5:]]
    assert labels == [f"long.txt ({number}/{len(labels)})" for number in range(1, len(labels) + 1)]


async def test_the_model_itself_words_the_smaller_threads(server: ModelServer, context: dict[str, Any]) -> None:
    server.window = 3_200  # three pieces
    split(server)
    server.on("refine", plan("6: How does it begin?", "7: What then?", "8: How does it end?"))
    solution = await ask(context)
    asked = server.calls("refine")[0].last
    assert "does not fit the context window" in asked and "At most 14 helpers" in asked and PARTS[1] in asked
    smaller = [(thread.id, thread.subquestion) for thread in solution.threads if "." in thread.id]
    assert smaller == [("T2.1", "How does it begin?"), ("T2.2", "What then?"), ("T2.3", "How does it end?")]
    assert [call.stage for call in solution.calls if call.thread_id == "T2"] == ["solve", "refine"]


@pytest.mark.parametrize(
    ("first", "mark"),
    [
        (Reply("half of a thou", finish_reason="length"), "cut"),
        (Reply(f"{LOOP}\nResult: over"), "repetitive"),
        (Reply("Result: all of it", prompt_tokens=85_000), "crowded"),
    ],
)
async def test_every_sign_of_context_rot_leads_to_smaller_threads(
    server: ModelServer, context: dict[str, Any], first: Reply, mark: str
) -> None:
    split(server)
    server.on(PARTS[1], first).on("refine", plan("4: First half?", "4: Second half?"))
    solution = await ask({**context, "context_window": 100_000})
    assert solution.report.marks == {"T2": [mark]} and solution.report.refined == {"T2": ["T2.1", "T2.2"]}
    assert solution.outcome == "complete" and len(solution.threads) == 4


async def test_a_thread_sent_back_twice_is_split(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    server.on("refine", plan("5: First half?", "5: Second half?"))
    back = review("", "T3: wrong sum")
    server.on("review", back, back, review("All."))
    solution = await ask(context)
    assert solution.report.marks == {"T3": ["sent_back_twice"]} and solution.report.rounds == 2
    assert [thread.id for thread in solution.threads] == ["T1", "T2", "T3.1", "T3.2"]
    assert all("wrong sum" in request.last for request in server.about("First half?") + server.about("Second half?"))


async def test_an_answer_stands_when_its_smaller_threads_fail(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    server.on(PARTS[1], f"{LOOP}\nResult: over").on("refine", plan("4: First?", "4: Second?"))
    server.on("First?", Fault(status=400)).on("Second?", Fault(status=400))
    solution = await ask(context)
    assert solution.outcome == "complete" and [thread.answer for thread in solution.threads][1] == "over"
    assert solution.plan and [spec.id for spec in solution.plan.threads] == ["T1", "T2", "T3"]


@pytest.mark.parametrize("limits", [{"max_rounds": 0}, {"max_threads": 3}, {"window_share": 1}])
async def test_splitting_stays_within_the_limits(
    server: ModelServer, context: dict[str, Any], limits: dict[str, Any]
) -> None:
    split(server)
    server.on(PARTS[1], Reply("Result: all of it", prompt_tokens=90_000))
    solution = await ask({**context, "context_window": 100_000, **limits})
    assert solution.outcome == "complete" and solution.report.refined == {} and not server.calls("refine")
    assert len(server.calls("review")) == 1


async def test_what_cannot_be_split_further_is_tried_once_more_and_no_oftener(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", outline(PARTS[0], PARTS[2])).on(PARTS[0], f"{LOOP}\nResult: over")
    solution = await ask(context, documents=[])
    assert solution.outcome == "complete" and solution.report.refined == {"T1": []}
    assert len(server.about(PARTS[0])) == 2 and solution.threads[0].answer == "over"


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (Reply("half of a thou", finish_reason="length"), "cut at the token limit"),
        (Reply("", reasoning="half of a thou", finish_reason="length"), "cut at the token limit"),
        (f"{LOOP}\nResult: over", "repeated itself"),
    ],
)
async def test_what_is_asked_once_more_is_told_why(
    server: ModelServer, context: dict[str, Any], first: Step, told: str
) -> None:
    server.on("assess", outline(PARTS[0], PARTS[2])).on(PARTS[0], first, "Result: over")
    solution = await ask(context, documents=[])
    assert solution.outcome == "complete" and solution.report.refined == {"T1": []}
    once, again = (request.last for request in server.about(PARTS[0]))
    assert told not in once and told in again and "far fewer words" in again
    assert solution.threads[0].answer == "over" and "far fewer words" not in server.about(PARTS[2])[0].last


async def test_a_thread_that_came_to_an_end_since_is_told_nothing_of_an_earlier_cut(
    server: ModelServer, context: dict[str, Any]
) -> None:
    twice = "What is twice #1?"
    server.on("assess", outline(PARTS[0], PARTS[2], twice)).on(PARTS[0], "Result: 1", "Result: 2")
    server.on(twice, Reply("half of a thou", finish_reason="length"), "Result: 2", "Result: 4")
    server.on("review", review("One."), review("", "T1: it is not one"), review("Two, three and four."))
    solution = await ask(context, documents=[])
    assert [thread.answer for thread in solution.threads][::2] == ["2", "4"] and solution.outcome == "complete"
    told = ["far fewer words" in request.last for request in server.about(twice)]
    assert told == [False, True, False]


@pytest.mark.parametrize(
    ("told", "settings", "window", "source"),
    [
        ({"window": 8_000, "model_window": 500}, {"context_window": 300}, 8_000, "server"),
        ({"model_window": 9_000}, {"context_window": 300}, 9_000, "server"),
        ({}, {"context_window": 300}, 300, "setting"),
        ({}, {}, None, ""),
    ],
    ids=["llama.cpp", "vLLM", "setting", "unknown"],
)
async def test_the_window_is_the_servers_word_else_a_setting(
    server: ModelServer,
    context: dict[str, Any],
    told: dict[str, int],
    settings: dict[str, int],
    window: int | None,
    source: str,
) -> None:
    server.window, server.model_window = told.get("window"), told.get("model_window")
    report = (await sequential.ainvoke({"question": "Why?"}, context={**context, **settings}))["report"]
    (found,) = report.contexts
    assert (found.model, found.window, found.source) == ("openai:scripted", window, source)
    assert found.utilisation == (round(15 / window, 3) if window else None)


async def test_a_model_that_is_listed_has_its_profiles_window(server: ModelServer, context: dict[str, Any]) -> None:
    report = (await sequential.ainvoke({"question": "Why?"}, context={**context, "model": "openai:gpt-4o"}))["report"]
    assert (report.contexts[0].window, report.contexts[0].source) == (128_000, "profile")


async def test_utilisation_is_told_by_thread_and_at_the_join(server: ModelServer, context: dict[str, Any]) -> None:
    split(server)
    for part, tokens in zip(PARTS, (100, 300, 200), strict=True):
        server.on(part, Reply("Result: found", prompt_tokens=tokens, completion_tokens=100))
    server.on("review", Reply(json.dumps(review("All.")), prompt_tokens=400, completion_tokens=100))
    report = (await ask({**context, "context_window": 1_000})).report
    assert report.utilisation == {"T1": 0.2, "T2": 0.4, "T3": 0.3} and report.join_utilisation == 0.5
    assert report.contexts[0].utilisation == 0.5

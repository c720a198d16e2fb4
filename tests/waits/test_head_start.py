"""What begins before it is certain to be needed: the direct answer, and threads whose lines are complete."""

import asyncio
import json
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graphs import graph
from graphs.build import build_graph
from graphs.page.page import page
from graphs.streams.answer import SPLIT, AnswerPiece, AnswerReset, stream_answer
from nodes.asking.ahead import complete_lines
from nodes.direct import ANSWERED_EARLY
from nodes.state import Solution
from tests.support.server import Fault, ModelServer, Reply, outline, review

PARTS = [f"What is part {number}?" for number in range(1, 5)]
QUESTION = " ".join(PARTS)
BE_BRIEF = f"Be brief. {QUESTION}"


@pytest.fixture
def early(context: dict[str, Any]) -> dict[str, Any]:
    return {**context, "head_start": "on"}


async def ask(context: dict[str, Any], question: str = QUESTION) -> Solution:
    return Solution.model_validate(await graph.ainvoke({"question": question}, context=context))


def slowly(value: Any, pace: float = 0.05) -> Reply:
    return Reply(json.dumps(value), pace=pace)


def split(server: ModelServer, pace: float = 0.05, first: int = 1) -> None:
    server.on("assess", slowly(outline(*(str(number) for number in range(first, first + 4))), pace))
    server.on("direct", Reply("Too late.", delay=30))
    server.on("review", review("All of it."))


async def test_the_direct_answer_is_under_way_while_the_question_is_assessed(
    server: ModelServer, early: dict[str, Any]
) -> None:
    server.on("assess", slowly(outline("Why?")))
    server.on("direct", Reply("Because.", delay=1))
    solution = await ask(early, "Why?")
    (assessed,), (answered,) = server.calls("assess"), server.calls("direct")
    assert assessed.body["stream"] and assessed.ended and answered.at < assessed.ended
    assert (solution.answer, solution.outcome, solution.route) == ("Because.", "complete", "direct")
    assert [(call.stage, call.ahead, call.wasted) for call in solution.calls] == [
        ("assess", False, False),
        ("direct", True, False),
    ]
    assert (solution.report.head_starts, solution.report.wasted.total) == (1, 0)


async def test_a_direct_answer_that_is_not_needed_is_broken_off_and_counted(
    server: ModelServer, early: dict[str, Any]
) -> None:
    split(server)
    solution = await ask(early)
    (direct,) = server.calls("direct")
    assert direct.dropped and (solution.route, solution.answer) == ("parallel", "All of it.")
    (wasted,) = [call for call in solution.calls if call.wasted]
    assert (wasted.stage, wasted.status) == ("direct", "cancelled") and wasted.usage.input > 10
    assert solution.report.wasted == wasted.usage and solution.report.tokens.total > wasted.usage.total
    assert solution.report.head_starts == 5 and solution.outcome == "complete" and "begun early" in page(solution)


async def test_a_direct_answer_that_is_there_before_the_parts_is_taken_at_once(
    server: ModelServer, early: dict[str, Any]
) -> None:
    split(server)
    server.on("direct", "All four.")
    stream = graph.astream(
        {"question": QUESTION}, context={**early, "max_parallel": 1}, stream_mode=["custom", "values"]
    )
    told = [(mode, event) async for mode, event in stream]
    solution = Solution.model_validate(told[-1][1])
    assert (solution.answer, solution.route) == ("All four.", "direct") and not server.calls("solve")
    (assessed,), (direct,) = server.calls("assess"), server.calls("direct")
    assert assessed.dropped and direct.ended and not solution.assessment
    assert [(call.stage, call.status, call.wasted) for call in solution.calls] == [
        ("assess", "cancelled", True),
        ("direct", "ok", False),
    ]
    assert solution.report.critical_path_tokens == solution.calls[1].usage.output
    assert [event.get("why") for mode, event in told if mode == "custom" and "stage" in event] == [None, ANSWERED_EARLY]


async def test_threads_begin_while_the_outline_is_written_and_none_is_asked_twice(
    server: ModelServer, early: dict[str, Any]
) -> None:
    split(server, pace=0.15)
    for part in PARTS:
        server.on(part, Reply(f"Result: {part}", delay=0.4))
    solution = await ask(early)
    (assessed,) = server.calls("assess")
    assert assessed.ended and server.about(PARTS[0])[0].at < server.about(PARTS[2])[0].at < assessed.ended
    assert [len(server.about(part)) for part in PARTS] == [1] * 4
    assert [thread.answer for thread in solution.threads] == PARTS and solution.outcome == "complete"
    assert all(call.ahead for call in solution.calls if call.thread_id)


async def test_no_thread_begins_for_what_a_model_only_thinks_of(server: ModelServer, early: dict[str, Any]) -> None:
    split(server)
    thought, written = json.dumps(outline("1 2", "3 4")), json.dumps(outline("1", "2", "3", "4"))
    server.on("assess", Reply(f"<think>\nPerhaps {thought}? No.\n</think>\n{written}", pace=0.05))
    solution = await ask(early)
    (assessed,) = server.calls("assess")
    assert assessed.ended and server.about(PARTS[0])[0].at < assessed.ended
    assert [request.key for request in server.calls("solve")] == PARTS and solution.outcome == "complete"


async def test_a_thread_is_asked_anew_where_the_plan_asks_it_otherwise(
    server: ModelServer, early: dict[str, Any]
) -> None:
    # The last line leaves out what was taken to be named.
    server.on("assess", slowly(outline("1", "2", "3")))
    server.on("review", review("All of it."))
    server.on("direct", Reply("Too late.", delay=30))
    for part in PARTS[:3]:
        server.on(part, Reply("Result: so", delay=0.5))
    solution = await ask(early)
    assert [len(server.about(part)) for part in PARTS[:3]] == [2, 2, 2]
    assert all(PARTS[3] in server.about(part)[1].last for part in PARTS[:3])
    assert sum(call.wasted for call in solution.calls) == 4 and solution.outcome == "complete"


async def test_what_comes_before_the_parts_is_told_to_those_that_begin_early(
    server: ModelServer, early: dict[str, Any]
) -> None:
    split(server, first=2)
    solution = await ask(early, BE_BRIEF)
    assert [len(server.about(part)) for part in PARTS] == [1] * 4 and "Be brief." in server.about(PARTS[0])[0].last
    assert not [call for call in solution.calls if call.thread_id and call.wasted]


@pytest.mark.parametrize(
    "setting",
    [
        {"head_start": "off"},
        {"head_start": "auto"},
        {"max_total_tokens": 100_000},
        {"max_cost": 100, "prices": {"openai:scripted": {"input": 1, "output": 1}}},
        {"requests_per_minute": 100},
        {"tokens_per_minute": 1_000_000},
    ],
    ids=str,
)
async def test_nothing_begins_early_where_that_is_not_wanted_or_not_known_to_pay(
    server: ModelServer, early: dict[str, Any], setting: dict[str, Any]
) -> None:
    split(server)
    solution = await ask({**early, **setting})
    assert not server.calls("direct") and not any(call.ahead for call in solution.calls)
    assert "stream" not in server.calls("assess")[0].body or not server.calls("assess")[0].body["stream"]


async def test_no_thread_begins_before_it_is_known_which_are_easy(server: ModelServer, early: dict[str, Any]) -> None:
    split(server)
    solution = await ask({**early, "easy_model": "openai:small"})
    assert not any(call.ahead and call.thread_id for call in solution.calls) and solution.outcome == "complete"


async def test_threads_of_large_inputs_begin_when_the_plan_stands(server: ModelServer, early: dict[str, Any]) -> None:
    split(server)
    question = {"question": QUESTION, "documents": [{"id": "long", "text": "Lorem ipsum. " * 10_000}]}
    solution = Solution.model_validate(await graph.ainvoke(question, context=early))
    assert [call.stage for call in solution.calls if call.ahead] == ["direct"] and solution.outcome == "complete"


async def test_nothing_begins_before_a_person_has_approved(server: ModelServer, early: dict[str, Any]) -> None:
    split(server)
    kept = build_graph(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    await kept.ainvoke({"question": QUESTION}, config, context={**early, "oversight": "plan"})
    assert [asked.role for asked in server.asked] == ["assess"]


async def test_a_server_without_a_free_slot_is_asked_nothing_early(server: ModelServer, early: dict[str, Any]) -> None:
    server.slots = 1
    split(server)
    solution = await ask(early)
    assert not server.calls("direct") and not any(call.ahead for call in solution.calls)


async def test_auto_begins_early_once_an_endpoint_is_known_to_answer_directly(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", Reply(json.dumps(outline("Why?")), delay=0.3))
    server.on("direct", Reply("Because.", delay=0.3))
    began = [any(call.ahead for call in (await ask(context, "Why?")).calls) for _ in range(7)]
    assert began == [False] * 5 + [True] * 2


async def test_a_server_that_refuses_to_stream_is_asked_for_the_whole(
    server: ModelServer, early: dict[str, Any]
) -> None:
    refusal = json.dumps({"error": {"message": "`stream` is not supported", "code": 400}})
    server.on("assess", Fault(status=400, body=refusal), outline("Why?"))
    server.on("direct", Reply("Because.", delay=0.3))
    assert (await ask(early, "Why?")).outcome == "complete"
    first, second = server.calls("assess")
    assert first.body["stream"] and "stream" not in second.body and "stream_options" not in second.body


async def test_an_outline_that_fails_leaves_the_answer_that_has_begun(
    server: ModelServer, early: dict[str, Any]
) -> None:
    server.on("assess", Fault(status=400))
    server.on("direct", Reply("Because.", delay=0.3))
    solution = await ask(early, "Why?")
    assert (solution.answer, solution.outcome) == ("Because.", "complete") and len(server.calls("direct")) == 1


async def test_words_of_what_begins_early_are_those_of_the_node_that_takes_it_over(
    server: ModelServer, early: dict[str, Any]
) -> None:
    server.on("assess", slowly(outline("Why?"), 0.2))
    server.on("direct", Reply("Because it is so.", pace=0.02))
    said: list[tuple[str, str]] = []
    async for chunk, told in graph.astream({"question": "Why?"}, context=early, stream_mode="messages"):
        said.append((told["langgraph_node"], chunk.text))
    assert "".join(text for node, text in said if node == "direct") == "Because it is so."
    assert said.index(("direct", "Because ")) < max(place for place, (node, _) in enumerate(said) if node == "assess")


async def test_the_growing_answer_goes_on_past_the_assessment_and_is_withdrawn_where_the_question_is_split(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", slowly(outline("Why?"), 0.1))
    server.on("direct", Reply("Because it is so, and will be so.", pace=0.15))
    grown = [event async for event in stream_answer("Why?", **context, head_start="on")]
    assert server.calls("assess")[0].ended and len(grown) == 9 and all(isinstance(e, AnswerPiece) for e in grown[:-1])
    split(server, pace=0.1)
    server.on("direct", Reply("So it is. " * 200, pace=0.1))
    grown = [event async for event in stream_answer(QUESTION, **context, head_start="on")]
    assert isinstance(grown[0], AnswerPiece)
    assert [event.why for event in grown if isinstance(event, AnswerReset)] == [SPLIT]


@pytest.mark.parametrize("stopped", ["assess", "decompose"])
async def test_a_run_that_stops_between_its_stages_leaves_nothing_open(
    server: ModelServer, early: dict[str, Any], stopped: str
) -> None:
    split(server)
    for part in PARTS:
        server.on(part, Reply("Result: late", delay=30))
    kept = build_graph(checkpointer=InMemorySaver(), interrupt_after=[stopped])
    await kept.ainvoke({"question": QUESTION}, {"configurable": {"thread_id": "1"}}, context=early)
    assert [asked for asked in server.calls("solve") if asked.ended is None]
    async with asyncio.timeout(10):
        await server.wait_until_idle()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('{"asks": "", "parts": ["1", "2', ["1"]),
        ('```json\n{"parts": ["1", "2"', ["1", "2"]),
        ('{"parts": [', []),
        ("{", []),
        ("nothing", []),
        ('{"parts": 3', []),
        ('{"parts": ["a", 3, "b", {"c": 1', ["a", "b"]),
        ('{"parts": ["a\\u00e9", "b\\', ["aé"]),
        ("[" * 500, []),
    ],
)
def test_complete_lines_are_read_of_an_outline_that_is_still_written(text: str, lines: list[str]) -> None:
    assert complete_lines(text) == lines

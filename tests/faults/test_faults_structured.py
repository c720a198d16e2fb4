"""Outlines, plans and reviews as servers and models really send them: what is certain is read, once asked for."""

import json
from typing import Any

import pytest

from graphs import graph, sequential
from tests.support.server import Events, Fault, ModelServer, Reply, Tool, completion, outline, plan, review
from tests.support.subjects.calls import PARTS, both_ways
from tests.support.subjects.replies import ask, script

SPLIT = outline(*PARTS)


def calling(*arguments: Any, streaming: bool) -> Fault | Events:
    """A reply of several tool calls."""
    calls = [
        {"id": f"c{number}", "index": number, "type": "function", "function": {"name": "Outline", "arguments": said}}
        for number, said in enumerate(arguments)
    ]
    if streaming:
        pieces = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in calls]
        return Events([*pieces, {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}, "[DONE]"])
    body = completion(Reply(finish_reason="tool_calls"), "")
    body["choices"][0]["message"] |= {"content": None, "tool_calls": calls}
    return Fault(body=json.dumps(body))


CALLS: dict[str, tuple[Any, ...]] = {
    "arguments as an object": (SPLIT,),
    "arguments written twice": (json.dumps(json.dumps(SPLIT)),),
    "the same twice": (json.dumps(SPLIT), json.dumps(SPLIT)),
    "a part a call": tuple(json.dumps(outline(part)) for part in PARTS),
    "all but the last, then the last": (json.dumps(outline(*PARTS[:2])), json.dumps(outline(PARTS[2]))),
}


@both_ways
@pytest.mark.parametrize("arguments", CALLS.values(), ids=CALLS)
async def test_tool_calls_are_read_as_they_were_meant(
    server: ModelServer, arguments: tuple[Any, ...], streaming: bool
) -> None:
    script(server)
    server.refuses = {"response_format"}
    server.on("review", Tool(review("All of it.")))
    server.on("assess", calling(*arguments, streaming=streaming))
    solution = await ask(server, streaming=streaming)
    assert [thread.subquestion for thread in solution["threads"]] == PARTS and solution["outcome"] == "complete"
    assert len(server.calls("assess")) == 2  # one was refused for its schema


OUTLINES: dict[str, Any] = {
    "under its name": {"Outline": SPLIT},
    "under its name in small letters": {"outline": SPLIT},
    "under another word": {"result": SPLIT},
    "as a call in words": {"name": "Outline", "arguments": SPLIT},
    "as a call, arguments written": {"function": "Outline", "parameters": json.dumps(SPLIT)},
    "a schema filled in": {"type": "object", "properties": SPLIT},
    "parts as the text of a list": SPLIT | {"parts": json.dumps(PARTS)},
    "names in capitals": {"Parts": PARTS, "ANSWER": "text"},
    "a word in capitals": SPLIT | {"answer": "Text"},
    "null where there is a default": SPLIT | {"asks": None},
    "in a list": [SPLIT],
}


@pytest.mark.parametrize("said", OUTLINES.values(), ids=OUTLINES)
async def test_an_outline_is_read_as_it_was_meant(server: ModelServer, said: Any) -> None:
    script(server)
    server.on("assess", json.dumps(said))
    solution = await ask(server)
    assert [thread.subquestion for thread in solution["threads"]] == PARTS and len(server.calls("assess")) == 1


REVIEWS: dict[str, Any] = {
    "nulls": {"redo": None, "conflicts": None, "answer": "All of it."},
    "the answer alone": {"answer": "All of it."},
    "under its name": {"Review": review("All of it.")},
    "nothing as text": {"redo": "", "conflicts": {}, "answer": "All of it."},
    "an answer in a list": review() | {"answer": ["All of it."]},
    "lists as text": {"redo": "[]", "conflicts": "[]", "answer": "All of it."},
}


@pytest.mark.parametrize("said", REVIEWS.values(), ids=REVIEWS)
async def test_a_review_is_read_as_it_was_meant(server: ModelServer, said: Any) -> None:
    script(server)
    server.on("review", json.dumps(said))
    solution = await ask(server)
    assert (solution["answer"], solution["outcome"], len(server.calls("review"))) == ("All of it.", "complete", 1)


async def test_a_review_may_stand_under_its_name(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    server.on("review", json.dumps({"Review": review("All of it.")}))
    solution = await graph.ainvoke({"question": "Tell me all."}, context=context)
    assert solution["outcome"] == "complete" and not solution["report"].retries
    assert len(server.calls("review")) == 1


def refusing(status: int, said: str) -> Fault:
    return Fault(status, json.dumps({"error": {"message": said}}))


NULL = Fault(body=json.dumps({"choices": [{"message": {"content": None}, "finish_reason": "stop"}]}))
NOT_SO: dict[str, tuple[Fault, int]] = {
    "500": (Fault(500), 2),
    "501": (Fault(501), 1),
    "400": (refusing(400, "response_format is not supported"), 1),
    "400 inside": (Fault(body=json.dumps({"error": {"code": 400, "message": "no response_format"}})), 1),
    "405": (Fault(405), 1),
    "422": (refusing(422, "extra fields not permitted"), 1),
    "404 of a router": (refusing(404, "No endpoints found that can handle the requested parameters."), 1),
    "content null": (NULL, 2),
}


@both_ways
@pytest.mark.parametrize(("fault", "tries"), NOT_SO.values(), ids=NOT_SO)
@pytest.mark.parametrize("stage", ["assess", "decompose", "review"])
async def test_what_breaks_on_a_schema_is_asked_by_tool(
    server: ModelServer, stage: str, fault: Fault, tries: int, streaming: bool
) -> None:
    script(server, "direct" if stage == "decompose" else "")
    sound = {"assess": SPLIT, "decompose": plan(*PARTS), "review": review("All of it.")}[stage]
    server.on(stage, *[fault] * tries, Tool(sound))
    solution = await ask(server, streaming=streaming, **({"split": "always"} if stage == "decompose" else {}))
    assert solution["outcome"] == "complete" and len(solution["threads"]) == len(PARTS)
    assert ["tools" in request.body for request in server.calls(stage)] == [False] * tries + [True]


async def test_a_passing_refusal_lowers_nothing_for_the_whole_process(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", refusing(400, "busy with another schema"), outline())
    for _ in range(60):
        await graph.ainvoke({"question": "What is it?"}, context=context)
    asked = ["response_format" in request.body for request in server.calls("assess")]
    assert asked[:3] == [True, False, False] and asked[-1]


@both_ways
@pytest.mark.parametrize("code", ["context_length_exceeded", 413])
async def test_a_prompt_that_is_too_long_is_told_so(server: ModelServer, code: str | int, streaming: bool) -> None:
    server.on("direct", Fault(body=json.dumps({"error": {"message": "no", "code": code}})))
    solution = await ask(server, streaming=streaming, asked=sequential)
    assert "does not fit the context window" in solution["stop_reason"] and len(server.asked) == 1

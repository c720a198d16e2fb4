"""Assessments, plans and reviews from servers and models that lack some way to ask for them."""

from __future__ import annotations

import json
import time
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationError

from graphs import graph
from nodes.llm import endpoint
from nodes.llm.fit import fit
from tests.server import Asked, Fault, ModelServer, Reply, Step, Tool, assessment, completion, plan, review

PARTS = ["What is one?", "What is two?", "What is three?"]
DECOY = json.dumps(plan("Decoy one?", "Decoy two?"))
ROLES = ("assess", "decompose", "review")
NOTHING = {"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "stop"}
both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])


async def ask(context: dict[str, Any], *, streaming: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Run the graph; return its solution and the problems that its stages met."""
    problems: list[str] = []
    modes = ["values", "updates", *(["messages"] if streaming else [])]
    async for mode, seen in graph.astream({"question": "Tell me all."}, context=context, stream_mode=modes):
        if mode == "values":
            solution = seen
        if mode == "updates":
            problems += [line for update in seen.values() for line in (update or {}).get("problems", [])]
    return solution, problems


def script(server: ModelServer, dress: Any = lambda wanted: wanted) -> None:
    """Script a run of three threads, each structured reply dressed up."""
    server.on("assess", dress(assessment(*PARTS)))
    server.on("decompose", dress(plan(*PARTS)))
    server.on("review", dress(review("One, two, three.", T1="accept", T2="accept", T3="accept")))


def was_parallel(solution: dict[str, Any]) -> bool:
    """Whether each structured reply was understood."""
    asked = [thread.subquestion for thread in solution["threads"]]
    return asked == PARTS and solution["answer"] == "One, two, three." and solution["outcome"] == "complete"


def prose(wanted: dict[str, Any]) -> str:
    return f"Let me see {{so}}.\n```json\n{json.dumps(wanted, indent=1)}\n```\nHope this helps!"


async def test_one_strict_schema_request_for_each_structure(server: ModelServer, context: dict[str, Any]) -> None:
    script(server)
    solution, _ = await ask(context)
    assert was_parallel(solution)
    for role, name in zip(ROLES, ("Assessment", "Plan", "Review"), strict=True):
        [request] = server.calls(role)
        wanted = request.body["response_format"]
        assert (wanted["type"], wanted["json_schema"]["name"], wanted["json_schema"]["strict"]) == (
            "json_schema",
            name,
            True,
        )
        assert "tools" not in request.body
        strict_everywhere(wanted["json_schema"]["schema"])
    schema = server.calls("decompose")[0].body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["shared_context", "parallelism", "threads"]
    assert list(schema["$defs"]["ThreadSpec"]["properties"]) == ["id", "sources", "subquestion"]


def strict_everywhere(node: Any) -> None:
    """Check what strict servers demand: each object closed, each field required."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            assert node["additionalProperties"] is False and node["required"] == list(node["properties"])
        assert "default" not in node
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        strict_everywhere(value)


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_server_without_schemas_is_asked_by_tool_and_so_again_in_the_next_run(
    server: ModelServer, context: dict[str, Any], streaming: bool
) -> None:
    server.refuses = {"response_format"}
    script(server, Tool)
    for _ in range(2):
        solution, problems = await ask(context, streaming=streaming)
        assert was_parallel(solution) and not problems
    refused = [request.role for request in server.asked if "response_format" in request.body]
    assert refused == ["assess"]
    names = [request.body["tool_choice"]["function"]["name"] for request in server.asked if "tools" in request.body]
    assert names == ["Assessment", "Plan", "Review"] * 2


async def test_a_server_without_schemas_and_tools_is_asked_in_words(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.refuses = {"response_format", "tools"}
    script(server, prose)
    for _ in range(2):
        solution, problems = await ask(context)
        assert was_parallel(solution) and not problems
    assert [len(server.calls(role)) for role in ROLES] == [4, 2, 2]
    assert '"subquestion"' in server.calls("decompose")[0].last


async def test_a_server_that_ignores_schemas_is_understood(server: ModelServer, context: dict[str, Any]) -> None:
    script(server, prose)
    solution, _ = await ask(context)
    assert was_parallel(solution)
    assert len(server.calls("decompose")) == 1


async def test_a_reply_that_breaks_the_schema_is_asked_for_again_with_the_error(
    server: ModelServer, context: dict[str, Any]
) -> None:
    script(server)
    wrong = {**plan(*PARTS), "parallelism": "many"}
    server.on("decompose", wrong, wrong, wrong, plan(*PARTS))
    solution, problems = await ask(context)
    assert was_parallel(solution) and not problems
    again = server.calls("decompose")[-1]
    assert "`parallelism`" in again.last and "integer" in again.last
    assert again.body["messages"][-2] == {"role": "assistant", "content": json.dumps(wrong)}
    assert solution["report"].tokens.total == server.usage["input"] + server.usage["output"]


async def test_a_model_that_never_fits_the_schema_still_answers_directly(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", '{"subquestions": "none"}').on("direct", "It is so.")
    solution, [problem] = await ask(context)
    assert (solution["answer"], solution["outcome"], solution["route"]) == ("It is so.", "complete", "direct")
    assert "no usable Assessment" in problem and "`subquestions`" in problem
    assert len(server.calls("assess")) == 4
    assert solution["report"].tokens.total == server.usage["input"] + server.usage["output"] == 15 * 5


HALF_A_PLAN = json.dumps(plan(*PARTS)).partition(', {"id": "T3"')[0]
HALF_A_WORD = json.dumps(plan(*PARTS)).partition("three?")[0]


@pytest.mark.parametrize(
    ("step", "said", "calls"),
    [
        (Reply(HALF_A_PLAN, finish_reason="length"), "cut at the token limit; raise `max_tokens`", 1),
        (Reply(HALF_A_WORD, finish_reason="length"), "cut at the token limit; raise `max_tokens`", 1),
        (Reply("<think>hm", finish_reason="length"), "cut at the token limit before an answer", 1),
        (Reply(refusal="I must not plan."), "refused to answer: I must not plan.", 1),
        (Reply("Well", finish_reason="content_filter"), "refused to answer: stopped by a content filter", 1),
        (Reply("I have no plan."), "no usable Plan", 4),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
async def test_truncated_refused_and_malformed_plans_are_told_apart(
    server: ModelServer, context: dict[str, Any], step: Step, said: str, calls: int, streaming: bool
) -> None:
    server.on("assess", assessment(*PARTS)).on("decompose", step).on("direct", "All in one.")
    solution, [problem] = await ask(context, streaming=streaming)
    assert (solution["answer"], solution["route"], solution["threads"]) == ("All in one.", "direct", [])
    assert said in problem and problem.startswith("decompose: ")
    assert len(server.calls("decompose")) == calls
    assert solution["report"].tokens.total == server.usage["input"] + server.usage["output"]


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_tool_call_that_was_cut_off_is_no_plan(
    server: ModelServer, context: dict[str, Any], streaming: bool
) -> None:
    server.refuses = {"response_format"}
    script(server, Tool)
    server.on("decompose", Tool(HALF_A_PLAN, finish_reason="length"))
    solution, [problem] = await ask(context, streaming=streaming)
    assert solution["route"] == "direct" and "cut at the token limit" in problem


@pytest.mark.parametrize("step", [Tool(HALF_A_PLAN), Reply(HALF_A_PLAN, finish_reason="")])
async def test_half_a_plan_is_not_used_when_the_server_does_not_say_that_it_was_cut(
    server: ModelServer, context: dict[str, Any], step: Step
) -> None:
    server.refuses = {"response_format"}
    script(server, Tool)
    server.on("decompose", step, plan(*PARTS))
    solution, _ = await ask(context, streaming=True)
    assert was_parallel(solution) and len(server.calls("decompose")) > 1


async def test_a_plan_inside_the_reasoning_is_not_used(server: ModelServer, context: dict[str, Any]) -> None:
    script(server, lambda wanted: f"<think>Perhaps {DECOY}? No.</think>\n{json.dumps(wanted)}")
    solution, _ = await ask(context)
    assert was_parallel(solution)


async def test_a_plan_only_inside_the_reasoning_is_not_used_either(
    server: ModelServer, context: dict[str, Any]
) -> None:
    script(server)
    server.on("decompose", f"<think>{DECOY}</think>Sorry.").on("direct", "All in one.")
    solution, [problem] = await ask(context)
    assert solution["route"] == "direct" and "no usable Plan" in problem


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_plan_in_separate_reasoning_is_not_used(
    server: ModelServer, context: dict[str, Any], streaming: bool
) -> None:
    script(server, lambda wanted: Reply(json.dumps(wanted), reasoning=f"Perhaps {DECOY}?"))
    solution, _ = await ask({**context, "model": "deepseek:r1"}, streaming=streaming)
    assert was_parallel(solution)


WAYS = ("response_format", "tools", "")


class Picky:
    """A script step by what a request asks for: a fault for some ways of asking, the wanted object for the others."""

    def __init__(self, server: ModelServer, fault: Step, *ways: str) -> None:
        self.fault, self.ways = fault, ways
        self.sound = server._next_step
        server._next_step = self.step  # type: ignore[method-assign]

    def step(self, request: Asked) -> Step:
        way = next((way for way in ("response_format", "tools") if way in request.body), "")
        structured = request.role in ROLES
        step = self.sound(request)
        if structured and way in self.ways:
            return self.fault
        return Tool(step) if way == "tools" else step


def refusal(status: int, said: str) -> Fault:
    return Fault(status, json.dumps({"error": {"message": said}}), {"Retry-After": "0"})


@both_ways
@pytest.mark.parametrize(
    "fault",
    [
        refusal(400, "response_format is not available"),
        refusal(404, "No endpoints found that can handle the requested parameters."),
        refusal(422, "extra fields not permitted"),
        refusal(500, "internal error"),
        refusal(501, "not implemented"),
        Fault(body=json.dumps({"error": {"message": "json_schema unsupported", "code": 400}})),
        Fault(body=json.dumps(completion(Reply(), "") | {"choices": [NOTHING]})),
    ],
    ids="400 404 422 500 501 inside null".split(),
)
@pytest.mark.parametrize("ways", [WAYS[:1], WAYS[:2]], ids=["schemas", "schemas and tools"])
async def test_whatever_says_not_this_way_leads_to_the_next_one(
    server: ModelServer, context: dict[str, Any], fault: Step, ways: tuple[str, ...], streaming: bool
) -> None:
    script(server)
    Picky(server, fault, *ways)
    for _ in range(2):
        solution, problems = await ask(context, streaming=streaming)
        assert was_parallel(solution) and not problems
    asked_so = [request.role for request in server.asked if set(ways) & set(request.body)]
    assert set(asked_so) == {"assess"}  # learnt from the first stage


async def test_what_passed_is_tried_again_after_a_while(
    server: ModelServer, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "LEARNT_FOR_CALLS", 4)
    script(server)
    server.on("assess", refusal(400, "passing"), assessment(*PARTS))
    for _ in range(3):
        assert was_parallel((await ask(context))[0])
    ways = [
        "schema" if "response_format" in request.body else "tool" for request in server.asked if request.role in ROLES
    ]
    assert ways == ["schema", *["tool"] * 5, *["schema"] * 4]


async def test_a_ladder_is_gone_up_again_after_some_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    ladder = endpoint.Ladder()
    ladder.learn("text")
    assert ladder.start() == "text"
    monkeypatch.setattr(time, "monotonic", lambda: now + endpoint.LEARNT_FOR_S + 1)
    assert ladder.start() == "json_schema"


def wrapped(wanted: dict[str, Any]) -> dict[str, Any]:
    name = "Review" if "verdicts" in wanted else "Plan" if "threads" in wanted else "Assessment"
    return {name: wanted}


def lists_as_text(wanted: dict[str, Any]) -> dict[str, Any]:
    return {key: json.dumps(value) if isinstance(value, list) else value for key, value in wanted.items()}


def optional_as_null(wanted: dict[str, Any]) -> dict[str, Any]:
    if "verdicts" not in wanted:
        return wanted
    verdicts = [verdict | {"critique": None} for verdict in wanted["verdicts"]]
    return {"answer": wanted["answer"], "verdicts": verdicts, "contradictions": None}


def optional_left_out(wanted: dict[str, Any]) -> dict[str, Any]:
    if "verdicts" not in wanted:
        return wanted
    verdicts = [{key: value for key, value in verdict.items() if key != "critique"} for verdict in wanted["verdicts"]]
    return {"answer": wanted["answer"], "verdicts": verdicts}


def words_in_capitals(wanted: dict[str, Any]) -> dict[str, Any]:
    if "verdicts" not in wanted:
        return wanted | ({"complexity": "Moderate"} if "complexity" in wanted else {})
    return wanted | {"verdicts": [verdict | {"verdict": "Accept"} for verdict in wanted["verdicts"]]}


def call_in_words(wanted: dict[str, Any]) -> dict[str, Any]:
    [(name, arguments)] = wrapped(wanted).items()
    return {"name": name, "arguments": arguments}


@pytest.mark.parametrize(
    "dress",
    [wrapped, lists_as_text, optional_as_null, optional_left_out, words_in_capitals, call_in_words],
)
@pytest.mark.parametrize("tool", [False, True], ids=["text", "tool"])
async def test_what_is_written_differently_but_certain_is_read(
    server: ModelServer, context: dict[str, Any], dress: Any, tool: bool
) -> None:
    server.refuses = {"response_format"} if tool else set()
    script(server, lambda wanted: Tool(dress(wanted)) if tool else dress(wanted))
    solution, problems = await ask(context)
    assert was_parallel(solution) and not problems
    assert [len(server.calls(role)) for role in ROLES] == [1 + bool(server.refuses), 1, 1]


@both_ways
@pytest.mark.parametrize("as_object", [False, True], ids=["text", "object"])
async def test_tool_calls_are_read_however_they_are_sent(
    server: ModelServer, context: dict[str, Any], as_object: bool, streaming: bool
) -> None:
    """Arguments as an object; several calls of which the first does not fit; all of them numbered 0."""

    def several(wanted: dict[str, Any]) -> Fault:
        calls = [
            {
                "index": 0,
                "id": f"call-{number}",
                "type": "function",
                "function": {"name": "any", "arguments": sent if as_object else json.dumps(sent)},
            }
            for number, sent in enumerate([{"unrelated": True}, wanted, wanted])
        ]
        whole = completion(Reply(finish_reason="tool_calls"), "")
        whole["choices"][0]["message"] |= {"content": None, "tool_calls": calls}
        return Fault(body=json.dumps(whole))

    server.refuses = {"response_format"}
    script(server, several)
    solution, problems = await ask(context, streaming=streaming)
    assert was_parallel(solution) and not problems
    assert [len(server.calls(role)) for role in ROLES] == [1 + bool(server.refuses), 1, 1]


class Outline(BaseModel):
    """A shape of lines."""

    parts: list[str]
    answer: Literal["list", "text"] = "text"
    inner: Inner | None = None


class Inner(BaseModel):
    """Another shape in it."""

    level: int = 1


@pytest.mark.parametrize(
    ("written", "parts", "answer"),
    [
        ({"parts": [1, "2 3", 4.5], "answer": "LIST"}, ["1", "2 3", "4.5"], "list"),
        ({"outline": {"parts": '["1"]', "answer": None}}, ["1"], "text"),
        ({"Outline": '{"parts": ["1"]}'}, ["1"], "text"),
        ({"parts": ["a\ud83d"], "inner": '{"level": null}'}, ["a\ufffd"], "text"),
        ({"parts": [], "inner": {"level": 2}, "extra": 1}, [], "text"),
    ],
)
def test_any_shape_is_fitted(written: Any, parts: list[str], answer: str) -> None:
    read = fit(Outline, written)
    assert (read.parts, read.answer) == (parts, answer)


@pytest.mark.parametrize("written", [{}, {"parts": "1, 2"}, {"parts": None}, {"parts": [], "answer": "both"}, [], None])
def test_what_is_not_certain_stays_wrong(written: Any) -> None:
    with pytest.raises(ValidationError):
        fit(Outline, written)


async def test_a_refused_request_is_not_taken_for_a_missing_ability(
    server: ModelServer, context: dict[str, Any]
) -> None:
    script(server)
    server.on("assess", Fault(status=400))
    solution, [problem] = await ask(context)
    assert solution["outcome"] == "complete" and "HTTP 400" in problem
    server.on("assess", assessment(*PARTS))
    solution, _ = await ask(context)
    assert was_parallel(solution) and "response_format" in server.calls("assess")[-1].body

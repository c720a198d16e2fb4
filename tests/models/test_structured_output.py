"""Outlines, plans and reviews from servers and models that lack some way to ask for them."""

import json
from typing import Any

import pytest

from graphs import graph
from tests.support.server import Fault, ModelServer, Reply, Step, Tool, outline, plan, review

PARTS = ["What is one?", "What is two?", "What is three?"]
DECOY = json.dumps(plan("Decoy one?", "Decoy two?"))
ROLES = ("assess", "decompose", "review")


async def ask(context: dict[str, Any], *, streaming: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Run the graph; return its solution and the problems that its stages met."""
    problems: list[str] = []
    # So that a plan is asked for too: the outline has one part only.
    context = {**context, "split": "always"}
    modes = ["values", "updates", *(["messages"] if streaming else [])]
    async for mode, seen in graph.astream({"question": "Tell me all."}, context=context, stream_mode=modes):
        if mode == "values":
            solution = seen
        if mode == "updates":
            problems += [line for update in seen.values() for line in (update or {}).get("problems", [])]
    return solution, problems


def script(server: ModelServer, dress: Any = lambda wanted: wanted) -> None:
    """Script a run of three threads, each structured reply dressed up."""
    server.on("assess", dress(outline(PARTS[0])))
    server.on("decompose", dress(plan(*PARTS)))
    server.on("review", dress(review("One, two, three.")))


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
    for role, name in zip(ROLES, ("Outline", "Plan", "Review"), strict=True):
        [request] = server.calls(role)
        wanted = request.body["response_format"]
        assert (wanted["type"], wanted["json_schema"]["name"], wanted["json_schema"]["strict"]) == (
            "json_schema",
            name,
            True,
        )
        assert "tools" not in request.body
        strict_everywhere(wanted["json_schema"]["schema"])
        fields = {
            "Outline": ["asks", "parts", "answer"],
            "Plan": ["parts"],
            "Review": ["redo", "conflicts", "answer"],
        }
        assert list(wanted["json_schema"]["schema"]["properties"]) == fields[name]


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
    assert names == ["Outline", "Plan", "Review"] * 2


async def test_a_server_without_schemas_and_tools_is_asked_in_words(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.refuses = {"response_format", "tools"}
    script(server, prose)
    for _ in range(2):
        solution, problems = await ask(context)
        assert was_parallel(solution) and not problems
    assert [len(server.calls(role)) for role in ROLES] == [5, 2, 2]
    assert '"parts"' in server.calls("decompose")[0].last


async def test_a_server_that_ignores_schemas_is_understood(server: ModelServer, context: dict[str, Any]) -> None:
    script(server, prose)
    solution, _ = await ask(context)
    assert was_parallel(solution)
    assert len(server.calls("decompose")) == 1


async def test_a_reply_that_breaks_the_schema_is_asked_for_again_with_the_error(
    server: ModelServer, context: dict[str, Any]
) -> None:
    script(server)
    wrong = {"parts": "many"}
    server.on("decompose", wrong, wrong, wrong, plan(*PARTS))
    solution, problems = await ask(context)
    assert was_parallel(solution) and not problems
    again = server.calls("decompose")[-1]
    assert "`parts`" in again.last and "valid list" in again.last
    assert again.body["messages"][-2] == {"role": "assistant", "content": json.dumps(wrong)}
    assert solution["report"].tokens.total == server.usage["input"] + server.usage["output"]


async def test_a_model_that_never_fits_the_schema_still_answers_directly(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", '{"parts": "none"}').on("direct", "It is so.")
    solution, [problem] = await ask(context)
    assert (solution["answer"], solution["outcome"], solution["route"]) == ("It is so.", "complete", "direct")
    assert "no usable Outline" in problem and "`parts`" in problem
    assert len(server.calls("assess")) == 4
    assert solution["report"].tokens.total == server.usage["input"] + server.usage["output"] == 15 * 5


HALF_A_PLAN = json.dumps(plan(*PARTS)).partition(f', "{PARTS[2]}')[0]
HALF_A_WORD = json.dumps(plan(*PARTS)).partition("three?")[0]


@pytest.mark.parametrize(
    ("step", "said", "calls"),
    [
        (Reply(HALF_A_PLAN, finish_reason="length"), "cut at the token limit; raise `max_tokens`", 1),
        (Reply(HALF_A_WORD, finish_reason="length"), "cut at the token limit; raise `max_tokens`", 1),
        (Reply("<think>hm", finish_reason="length"), "cut at the token limit while the model was still thinking", 1),
        (Reply(refusal="I must not plan."), "refused to answer: I must not plan.", 1),
        (Reply("Well", finish_reason="content_filter"), "refused to answer: stopped by a content filter", 1),
        (Reply("I have no plan."), "no usable Plan", 4),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
async def test_truncated_refused_and_malformed_plans_are_told_apart(
    server: ModelServer, context: dict[str, Any], step: Step, said: str, calls: int, streaming: bool
) -> None:
    server.on("assess", outline(PARTS[0])).on("decompose", step).on("direct", "All in one.")
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


async def test_a_plan_only_inside_the_reasoning_is_used_but_no_review(
    server: ModelServer, context: dict[str, Any]
) -> None:
    script(server)
    server.on("decompose", f"<think>Perhaps {DECOY}? No: {json.dumps(plan(*PARTS))}</think>Sorry.")
    solution, problems = await ask(context)
    assert was_parallel(solution) and not problems and len(server.calls("decompose")) == 1
    server.on("review", f"<think>{json.dumps(review('Only thought.'))}</think>Sorry.")
    solution, _ = await ask(context)
    assert "no usable Review" in solution["stop_reason"] and "Only thought" not in solution["answer"]


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_plan_in_separate_reasoning_is_not_used(
    server: ModelServer, context: dict[str, Any], streaming: bool
) -> None:
    script(server, lambda wanted: Reply(json.dumps(wanted), reasoning=f"Perhaps {DECOY}?"))
    solution, _ = await ask({**context, "model": "deepseek:r1"}, streaming=streaming)
    assert was_parallel(solution)


async def test_a_refused_request_is_not_taken_for_a_missing_ability(
    server: ModelServer, context: dict[str, Any]
) -> None:
    script(server)
    server.on("assess", Fault(status=400))
    solution, [problem] = await ask(context)
    assert solution["outcome"] == "complete" and "HTTP 400" in problem
    server.on("assess", outline(PARTS[0]))
    solution, _ = await ask(context)
    assert was_parallel(solution) and "response_format" in server.calls("assess")[-1].body

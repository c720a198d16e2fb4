"""Models that think before they answer, on every kind of server, asked in one go or streamed."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nodes.llm.endpoints.usage import Usage
from nodes.reporting.prices import cost_of
from nodes.settings import Settings
from tests.support.server import (
    DIALECTS,
    OPENROUTER_COST,
    TAGS,
    Dialect,
    ModelServer,
    Reply,
    Step,
    Tool,
    outline,
    plan,
    refusal,
    review,
)
from tests.support.subjects.calls import PARTS, both_ways, reported, spent
from tests.support.subjects.replies import ask

DECOY = json.dumps(plan("Decoy one?", "Decoy two?"))
SETTINGS = {"temperature": 0.2, "max_tokens": 2_000, "reasoning_effort": "high"}


def thinking(text: str, thought: str, **more: Any) -> Reply:
    counts = {"prompt_tokens": 40, "completion_tokens": 60, "reasoning_tokens": 48, "cached_tokens": 16}
    return Reply(text, reasoning=thought, **counts | more)


def script(server: ModelServer, put: Callable[[dict[str, Any], str], Step] | None = None) -> None:
    """Script three threads, all of whose stages think; `put` dresses the outline up."""
    server.on("assess", (put or written)(outline(*PARTS), "Three parts, or four?"))
    for number, part in enumerate(PARTS, 1):
        server.on(part, thinking(f"Result: {number}", f"THOUGHT {number}"))
    server.on("review", written(review("All of it."), "Nothing is wrong."))


def written(wanted: dict[str, Any], thought: str) -> Reply:
    return thinking(json.dumps(wanted), thought)


@both_ways
@pytest.mark.parametrize("name", DIALECTS)
async def test_a_run_passes_in_every_dialect(server: ModelServer, name: str, streaming: bool) -> None:
    server.dialect = dialect = DIALECTS[name]
    script(server)
    model = "deepseek:deepseek-reasoner" if name.startswith("deepseek") else "openai:scripted"
    solution = await ask(server, streaming=streaming, model=model, **SETTINGS)
    assert (solution["outcome"], solution["answer"]) == ("complete", "All of it.")
    assert [thread.answer for thread in solution["threads"]] == ["1", "2", "3"]
    told = bool(dialect.fields) or dialect.within != "{}"
    expected = ["THOUGHT 1", "THOUGHT 2", "THOUGHT 3"] if told else ["", "", ""]
    assert [thread.reasoning for thread in solution["threads"]] == expected
    thoughts = {call.stage: call.reasoning for call in solution["calls"] if call.status == "ok"}
    assert thoughts == {
        "assess": "Three parts, or four?" if told else "",
        "solve": "",  # it stands in the threads' results
        "review": "Nothing is wrong." if told else "",
    }
    read, wrote, thought = spent(server)
    counted = dialect.tells_reasoning
    assert reported(solution) == (read, wrote, thought if counted else 0) and wrote == 5 * 60
    assert solution["report"].cost_usd == (5 * OPENROUTER_COST if name == "openrouter" else None)
    # The outline, one thread and the review wait for each other; what they think is generated, too.
    assert solution["report"].critical_path_tokens == 3 * 60
    assert solution["report"].tokens.cached in (0, server.usage["cached"])


RUNGS: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
    "json_schema": lambda body: None,
    "tool": lambda body: refusal("no response_format") if "response_format" in body else None,
    "json": lambda body: refusal("no") if "tools" in body or _has_schema(body) else None,
    "text": lambda body: refusal("no") if {"tools", "response_format"} & set(body) else None,
}


def _has_schema(body: dict[str, Any]) -> bool:
    return rung_of(body) == "json_schema"


def rung_of(body: dict[str, Any]) -> str:
    kind = body.get("response_format", {}).get("type")
    return {"json_schema": "json_schema", "json_object": "json"}.get(kind, "tool" if "tools" in body else "text")


PLACES: dict[str, Callable[[dict[str, Any], str], Step]] = {
    "in the answer, a draft in the thoughts": lambda wanted, _: written(wanted, f"Perhaps {DECOY}? No."),
    "in a fenced block": lambda wanted, thought: thinking(f"Here:\n```json\n{json.dumps(wanted)}\n```", thought),
    "in the thoughts only": lambda wanted, _: thinking("", f"Perhaps {DECOY}? No: {json.dumps(wanted)} it is."),
    "in the thoughts, with prose behind": lambda wanted, _: thinking(
        "I have split it.", f"So {{this}}:\n```json\n{json.dumps(wanted)}\n```"
    ),
}


@pytest.mark.parametrize("tagged", [False, True], ids=["apart, whole", "in tags, streamed"])
@pytest.mark.parametrize("rung", RUNGS)
async def test_an_outline_is_found_wherever_it_stands(server: ModelServer, rung: str, tagged: bool) -> None:
    told: dict[str, Any] = {"fields": (), "within": TAGS} if tagged else {"fields": ("reasoning",)}
    server.dialect = Dialect(**told, refuse=RUNGS[rung])
    for place, put in PLACES.items():
        script(server, put)
        if rung == "tool" and place.startswith("in the answer"):
            server.on("assess", Tool(outline(*PARTS), reasoning=f"Perhaps {DECOY}? No."))
            server.on("review", Tool(review("All of it."), reasoning="Nothing is wrong."))
        if rung == "tool" and not place.startswith("in the answer"):
            continue  # who calls a tool does not write
        solution = await ask(server, streaming=tagged)
        assert (solution["outcome"], solution["answer"]) == ("complete", "All of it."), place
        assert [thread.subquestion for thread in solution["threads"]] == PARTS, place
        assert rung_of(server.calls("assess")[-1].body) == rung_of(server.calls("review")[-1].body) == rung, place


@both_ways
async def test_a_review_or_an_answer_in_the_thoughts_counts_for_nothing(server: ModelServer, streaming: bool) -> None:
    script(server)
    server.on("review", thinking("", f"So: {json.dumps(review('Only thought.'))}"))
    solution = await ask(server, streaming=streaming)
    assert solution["outcome"] == "partial" and "the model thought, but gave no answer" in solution["stop_reason"]
    assert "Only thought" not in solution["answer"]
    server.on("assess", outline()).on("direct", thinking("", "It is 42."))
    solution = await ask(server, streaming=streaming)
    assert (solution["outcome"], solution["answer"]) == ("failed", "")
    assert [call.reasoning for call in solution["calls"] if call.stage == "direct"] == ["It is 42."] * 2


HIDDEN = Dialect(fields=())
CUTS = {
    "apart": (Dialect(), thinking("", "Let me see", finish_reason="length")),
    "between tags": (None, thinking("<think>\nLet me see", "", finish_reason="length")),
    "hidden": (HIDDEN, thinking("", "Let me see", finish_reason="length")),
}


@pytest.mark.parametrize("stage", ["assess", PARTS[0], "review", "direct"])
@pytest.mark.parametrize("where", CUTS)
async def test_a_reply_cut_while_thinking_says_so(server: ModelServer, where: str, stage: str) -> None:
    streaming = where == "between tags"
    server.dialect, step = CUTS[where]
    script(server)
    if stage == "direct":
        server.on("assess", outline())
    server.on(stage, step)
    solution = await ask(server, streaming=streaming)
    said = "cut at the token limit while the model was still thinking; raise `max_tokens`"
    assert said in solution["stop_reason"] + str(solution["report"].repairs), solution["stop_reason"]
    assert "Let me see" not in solution["answer"]
    assert solution["outcome"] == {"assess": "complete", "direct": "failed"}.get(stage, "partial")
    kept = [thread.reasoning for thread in solution["threads"] if thread.error]
    kept += [call.reasoning for call in solution["calls"] if call.status == "truncated" and not call.thread_id]
    assert kept == ["" if where == "hidden" else "Let me see"]


def test_thoughts_are_paid_for() -> None:
    def cost(**used: int) -> float:
        return cost_of(Settings(model="openai:o3"), "openai:o3", Usage(input=1_000, **used)).usd or 0.0

    assert cost(output=500, reasoning=400) == cost(output=500) > cost(output=100) > 0


@both_ways
@pytest.mark.parametrize("name", ["deepseek", "llama.cpp none"])
async def test_a_refusal_after_thoughts_is_one(server: ModelServer, name: str, streaming: bool) -> None:
    server.dialect = replace(DIALECTS[name], refuse=lambda body: None)
    script(server)
    server.on(PARTS[1], thinking("", "May I?", finish_reason="content_filter"))
    solution = await ask(server, streaming=streaming)
    refused = solution["threads"][1]
    assert refused.status == "failed" and "content filter" in refused.error and refused.reasoning == "May I?"
    assert solution["outcome"] == "partial"

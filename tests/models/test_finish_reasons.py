"""How a reply ended, in every dialect: nothing cut counts as whole or is kept."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from graphs import sequential
from nodes.llm.replies.finish import FINISH_REASONS, pick_reason, reason_of, state_of
from tests.support.server import ModelServer, Reply, model_server, review
from tests.support.subjects.calls import in_turns
from tests.support.subjects.replies import HALF, ask, script

NOT_WHOLE = [
    *("length", "LENGTH", "max_tokens", "FinishReason.MAX_TOKENS", "maxTokens", "model_length", "lengthlength"),
    *("content_filter", "SAFETY", "refusal", "guardrail_intervened", "pause_turn", "a new word", "null", ""),
    *("error", "ERROR", "insufficient_system_resource", "abort"),
]
WHOLE = ["stop", "STOP", "stopstop", "end_turn", "COMPLETE", "eos_token", "tool_calls", "stop_sequence"]


async def in_thread(server: ModelServer, reply: Reply, streaming: bool) -> dict[str, Any]:
    script(server, "thread", reply)
    solution = await ask(server, streaming=streaming)
    thread = solution["threads"][0]
    whole = solution["outcome"] == "complete"
    assert (thread.status, thread.answer) == (("answered", "half of an") if whole else ("failed", ""))
    assert thread.text == HALF and bool(thread.error) != whole  # what it holds is kept as what it is
    assert [other.status for other in solution["threads"][1:]] == ["answered"] * 2
    return solution


async def in_direct(server: ModelServer, reply: Reply, streaming: bool) -> dict[str, Any]:
    script(server, "direct", reply)
    solution = await ask(server, streaming=streaming)
    alone = await ask(server, streaming=streaming, asked=sequential)
    assert solution["answer"].startswith(HALF) and solution["outcome"] == alone["outcome"]
    return solution


async def in_join(server: ModelServer, reply: Reply, streaming: bool) -> dict[str, Any]:
    script(server, "join", reply)
    return await ask(server, streaming=streaming, review=False)


async def in_review(server: ModelServer, reply: Reply, streaming: bool) -> dict[str, Any]:
    written = json.dumps(review(HALF))
    script(server, "review", Reply(written, finish_reason=reply.finish_reason))
    return await ask(server, streaming=streaming)


async def in_baseline(server: ModelServer, reply: Reply, streaming: bool) -> dict[str, Any]:
    script(server, "baseline", reply)
    solution = await ask(server, streaming=streaming, baseline=True)
    measured = solution["report"].baseline
    assert measured.answer == HALF and bool(measured.error) == (measured.wall_ratio is None)
    return {"outcome": "complete" if not measured.error else "partial", "stop_reason": measured.error}


async def in_cache(server: ModelServer, reply: Reply, streaming: bool) -> dict[str, Any]:
    script(server, "cache", reply, "Result: whole")
    first = await ask(server, streaming=streaming, cache=True)
    second = await ask(server, streaming=streaming, cache=True)
    kept = second["threads"][0].cached
    assert second["outcome"] == "complete" and kept == (first["threads"][0].answer == "half of an")
    return first


STAGES = {
    "thread": in_thread,
    "direct": in_direct,
    "join": in_join,
    "review": in_review,
    "baseline": in_baseline,
    "cache": in_cache,
}


async def outcomes(reason: str, *, streaming: bool, stages: Mapping[str, Any] = STAGES) -> dict[str, tuple[str, str]]:
    """Run all stages into a reply that ends with a finish reason, each on a server of its own."""

    async def meet(name: str) -> tuple[str, str]:
        async with model_server() as server:
            # A failure is tried again, each time with the same result.
            solution = await stages[name](server, Reply(HALF, finish_reason=reason), streaming)
            return solution["outcome"], solution["stop_reason"]

    return dict(zip(stages, await asyncio.gather(*map(meet, stages)), strict=True))


@in_turns("reason", NOT_WHOLE)
async def test_what_is_not_whole_is_never_complete_and_never_kept(
    reason: str, streaming: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("APR_CACHE_FILE", str(tmp_path / "threads.sqlite"))
    failed = state_of(reason) in ("failed",)
    stages = {name: run for name, run in STAGES.items() if not (failed and name == "cache")}
    found = await outcomes(reason, streaming=streaming, stages=stages)
    assert {name: outcome for name, (outcome, _) in found.items()} == dict.fromkeys(stages, "partial")
    assert all(why for _, why in found.values())


@in_turns("reason", WHOLE)
async def test_what_is_whole_stands_and_is_kept(
    reason: str, streaming: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("APR_CACHE_FILE", str(tmp_path / "threads.sqlite"))
    found = await outcomes(reason, streaming=streaming)
    assert found == dict.fromkeys(STAGES, ("complete", ""))


@pytest.mark.parametrize(
    ("state", "word"), [(state, word) for state, words in FINISH_REASONS.items() for word in words]
)
def test_a_finish_reason_is_known_however_it_is_written(state: str, word: str) -> None:
    camel = "".join(part.capitalize() for part in word.split("_"))
    for written in (word, word.upper(), word.replace("_", "-"), camel, f"FinishReason.{word.upper()}", word * 3):
        assert state_of(written) == state


def test_of_several_finish_reasons_the_one_that_tells_of_a_fault_counts() -> None:
    assert pick_reason(["length", "stop"]) == "length" and pick_reason(["tool_calls", "stop"]) == "stop"
    assert pick_reason([]) == "" and reason_of({"type": "length", "length": 9}) == "length"

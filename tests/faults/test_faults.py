"""Servers that are wrong, gone or silent, and settings that cannot work: what the user is told."""

import asyncio
import json
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from graphs import graph, sequential
from nodes.llm.limits.retries import MAX_TRIES_OF_A_KIND
from nodes.llm.replies.errors import ConfigurationError
from tests.support.server import HANG, STALL, WORDS, Fault, ModelServer, Reply, completion, outline

HTML = Fault(body="<html><body>It works!</body></html>", content_type="text/html")


def chat(**changed: Any) -> str:
    return json.dumps(completion(Reply("Yes."), "Yes.") | changed)


def solution_of(result: dict[str, Any]) -> tuple[str, str, str]:
    return result["outcome"], result["answer"], result["stop_reason"]


async def ask(context: dict[str, Any], asked: Any = graph) -> dict[str, Any]:
    solution: dict[str, Any] = await asked.ainvoke({"question": "What is it?"}, context=context)
    assert "Traceback" not in solution["stop_reason"]
    return solution


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(HTML, id="a web page"),
        pytest.param(Fault(body=""), id="an empty body"),
        pytest.param(Fault(body="{}"), id="an empty object"),
        pytest.param(Fault(body="[]"), id="a list"),
        pytest.param(Fault(body="null"), id="null"),
        pytest.param(Fault(body='{"id": "1", '), id="broken JSON"),
        pytest.param(Fault(body=chat(choices=[])), id="no choices"),
        pytest.param(Fault(body=chat(choices=None)), id="null choices"),
        pytest.param(Fault(body=chat(choices=[{"index": 0}])), id="a choice without a message"),
        pytest.param(Fault(body=chat(choices=[{"index": 0, "message": None}])), id="a null message"),
        pytest.param(Fault(body=chat(choices="none")), id="choices of the wrong type"),
        pytest.param(Fault(status=404, body="404 page not found", content_type="text/plain"), id="404"),
        pytest.param(Fault(status=404), id="404 for the model"),
        pytest.param(Fault(status=401), id="401"),
        pytest.param(Fault(status=403, body=""), id="403"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_server_that_stays_none_is_named_and_not_asked_again(
    server: ModelServer, context: dict[str, Any], fault: Fault, streaming: bool
) -> None:
    server.on("assess", fault).on("direct", fault)
    if streaming:
        [(_, solution)] = [
            seen
            async for seen in graph.astream(
                {"question": "What is it?"}, context=context, stream_mode=["messages", "values"]
            )
            if seen[0] == "values" and seen[1].get("stop_reason")
        ]
    else:
        solution = await ask(context)
    outcome, answer, reason = solution_of(solution)
    assert (outcome, answer) == ("failed", "")
    assert server.url in reason and ("`base_url`" in reason or "set a valid key" in reason)
    # A status says what is wrong; what is no chat server's reply may pass.
    tries = 1 if fault.status != 200 else MAX_TRIES_OF_A_KIND["bad_reply"]
    assert len(server.asked) == solution["report"].calls == tries


async def test_a_dead_solve_model_does_not_sink_what_others_answer(
    server: ModelServer, context: dict[str, Any]
) -> None:
    server.on("assess", HTML)
    solution = await ask({**context, "solve_model": "openai:other"})
    assert solution["outcome"] == "complete"


async def test_no_server_there_is_said_with_address_and_cure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    solution = await ask({"model": "openai:x", "base_url": f"http://127.0.0.1:{port}/v1", "request_timeout": 3})
    outcome, _, reason = solution_of(solution)
    assert outcome == "failed"
    assert f"http://127.0.0.1:{port}/v1" in reason and "check that the server runs" in reason
    assert "Connect call failed" in reason and "did not answer in time" not in reason
    assert solution["report"].calls <= 3


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 9000 tokens.",
        "the request exceeds the available context size. try increasing the context size",
    ],
)
async def test_a_prompt_that_is_too_long_is_said_and_not_repeated(
    server: ModelServer, context: dict[str, Any], message: str
) -> None:
    fault = Fault(status=400, body=json.dumps({"error": {"message": message}}))
    server.on("assess", fault).on("direct", fault)
    outcome, _, reason = solution_of(await ask(context))
    assert outcome == "failed" and server.url in reason
    assert "does not fit the context window of `openai:scripted`" in reason and message in reason
    assert [request.role for request in server.asked] == ["assess", "direct"]


@pytest.mark.parametrize("asked", [graph, sequential])
async def test_a_silent_server_ends_with_the_time_limit(
    server: ModelServer, context: dict[str, Any], asked: Any
) -> None:
    server.on("assess", HANG).on("direct", HANG)
    began = time.monotonic()
    outcome, _, reason = solution_of(await ask({**context, "request_timeout": 0.3}, asked))
    assert outcome == "failed" and time.monotonic() - began < 15
    assert f"at {server.url} gave no answer within 0.3 s (`request_timeout`)" in reason
    await server.wait_until_idle()


async def test_a_port_that_accepts_and_says_nothing_ends_with_the_time_limit() -> None:
    open_ends: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: open_ends.append(writer), "127.0.0.1", 0)
    address = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/v1"
    async with silent:
        outcome, _, reason = solution_of(
            await ask({"model": "openai:x", "base_url": address, "request_timeout": 0.3}, sequential)
        )
        assert outcome == "failed" and f"{address} gave no answer within 0.3 s" in reason
        for writer in open_ends:
            writer.close()


async def test_a_hanging_thread_ends_with_its_own_time_limit(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline("A?", "B?")).on("B?", HANG)
    solution = await ask({**context, "thread_timeout": 1, "max_rounds": 0})
    assert [thread.status for thread in solution["threads"]] == ["answered", "timed_out"]
    assert "within 1 s (`thread_timeout`)" in solution["threads"][1].error
    assert solution["outcome"] == "partial"


async def test_what_a_thread_had_said_by_its_time_limit_is_kept(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline("A?", "B?")).on("B?", STALL)
    solution: Any = {}
    limits = {**context, "thread_timeout": 1, "max_rounds": 0}
    async for mode, seen in graph.astream(
        {"question": "What is it?"}, context=limits, stream_mode=["values", "messages"]
    ):
        solution = seen if mode == "values" else solution
    late = solution["threads"][1]
    assert server.about("B?")[0].body["stream"] is True
    assert (late.status, late.text, late.answer) == ("timed_out", WORDS.strip(), "")
    assert solution["outcome"] == "partial"


@pytest.mark.parametrize(("first", "told"), [(STALL, True), (HANG, False)], ids=["wrote", "silent"])
async def test_a_thread_that_wrote_until_its_time_limit_is_told_so(
    server: ModelServer, context: dict[str, Any], first: Fault, told: bool
) -> None:
    server.on("assess", outline("A?", "B?")).on("B?", first, "Result: yes")
    limits = {**context, "thread_timeout": 2, "max_rounds": 1}
    async for _ in graph.astream({"question": "What is it?"}, context=limits, stream_mode="messages"):
        pass
    once, again = (request.last for request in server.about("B?"))
    assert ("broken off at the time limit" in again) is told and "time limit" not in once


async def test_the_fault_before_a_time_limit_is_said_too(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", Fault(status=503), HANG)
    _, _, reason = solution_of(await ask({**context, "request_timeout": 1.5}, sequential))
    assert "gave no answer within 1.5 s" in reason and "before that" in reason and "HTTP 503" in reason


@pytest.mark.parametrize("asked", [graph, sequential])
@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"model": "openai:gpt-x"}, ("OPENAI_API_KEY is not set", "`api_key_env`", "`local`")),
        ({"model": "deepseek:r1"}, ("DEEPSEEK_API_KEY is not set",)),
        ({"model": "openai:x", "api_key_env": "MY_KEY"}, ("MY_KEY is not set", "`api_key_env`")),
        ({"api_key_env": "MY_KEY", "own": True}, ("MY_KEY is not set", "`api_key_env`")),
        ({"review_model": "deepseek:r1"}, ("DEEPSEEK_API_KEY is not set",)),
        ({"model": "nobody:x", "own": True}, ("unknown provider `nobody`", "openai:NAME", "model")),
        ({"model": "gpt-5", "own": True}, ("`gpt-5` names no provider", "openai:NAME")),
        ({"model": "openai:", "own": True}, ("names no model of `openai`",)),
        ({"base_url": "127.0.0.1:8000", "model": "openai:x"}, ("base_url", "http://127.0.0.1:8000/v1")),
        ({"api_key_env": "sk-123 456", "own": True}, ("api_key_env",)),
    ],
)
async def test_settings_that_cannot_work_are_refused_before_any_call(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, Any], said: tuple[str, ...], asked: Any
) -> None:
    chosen = {**chosen}
    if chosen.pop("own", False):
        chosen = {"model": "openai:scripted", "base_url": server.url, **chosen}
    elif "review_model" in chosen:
        chosen["model"] = "openai:x"
        monkeypatch.setenv("OPENAI_API_KEY", "k-1")
    with pytest.raises((ConfigurationError, ValidationError)) as refused:
        await ask(chosen, asked)
    assert all(words in str(refused.value) for words in said)
    assert not server.asked


@pytest.fixture
def nothing_extra(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if no extra were installed."""
    for package in ("xllamacpp", "langchain_deepseek"):
        monkeypatch.setitem(sys.modules, package, None)
    yield


@pytest.mark.parametrize(("model", "extra"), [("local", "[local]"), ("deepseek:r1", "[deepseek]")])
async def test_a_missing_extra_is_said_with_its_install_command(
    server: ModelServer, nothing_extra: None, model: str, extra: str
) -> None:
    context = {"model": "openai:scripted", "base_url": server.url, "review_model": model}
    with pytest.raises(ConfigurationError, match="pip install") as refused:
        await ask(context)
    assert extra in str(refused.value) and "`model`" in str(refused.value)
    assert not server.asked

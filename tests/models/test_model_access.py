"""How models are called: what is sent, what is counted, and what never shows."""

import logging
from typing import Any, get_args

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from pydantic import SecretStr, ValidationError

from graphs import graph
from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.replies.errors import ConfigurationError
from nodes.llm.servers.options import wishes
from nodes.settings import Role, Settings
from tests.support.server import Fault, ModelServer, Reply, model_server, outline
from tests.support.subjects.calls import PARTS, ask, both_ways, reported, spent, split

KEY = "sk-planted-0123456789abcdef"


# What is sent


async def test_sampling_and_limits_reach_the_request_and_nothing_unasked_does(
    server: ModelServer, context: dict[str, Any]
) -> None:
    await ask(context, graph)
    await ask({**context, "temperature": 0.25, "max_tokens": 77}, graph)
    plain, chosen = server.calls("direct")
    assert not {"temperature", "max_tokens", "max_completion_tokens"} & set(plain.body)
    assert (plain.body["model"], chosen.body["temperature"], chosen.body["max_tokens"]) == ("scripted", 0.25, 77)
    assert server.calls("assess")[1].body["max_tokens"] == 77


@pytest.mark.parametrize(("given", "limits"), [(None, [512, 512, 1_024, 1_024]), (700, [700, 700, 700, 700])])
def test_outlines_and_plans_of_the_embedded_model_end_sooner_than_its_answers(
    given: int | None, limits: list[int]
) -> None:
    endpoint = Endpoint("local", "local", "local", "http://127.0.0.1:1", SecretStr("none"), None)
    settings = Settings(model="local", max_tokens=given)
    wished = [wishes(endpoint, settings, role) for role in get_args(Role)]
    assert [{wish.value for wish in each if wish.setting == "max_tokens"} for each in wished] == [{n} for n in limits]


async def test_more_fields_reach_the_request_unless_the_server_refuses_them(
    server: ModelServer, context: dict[str, Any]
) -> None:
    more = {"top_p": 0.5, "seed": 7, "extra_body": {"top_k": 20, "provider": {"order": ["a"]}}}
    solution = await ask({**context, **more})
    body = server.calls("direct")[0].body
    assert (body["top_p"], body["seed"], body["top_k"], body["provider"]) == (0.5, 7, 20, {"order": ["a"]})
    server.refuses = {"top_k", "seed"}
    solution = await ask({**context, **more})
    assert solution["outcome"] == "complete"
    assert set(solution["calls"][-1].left_out) == {"seed", "extra_body.top_k"}
    assert "provider" in server.calls("direct")[-1].body


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"messages": []}, "says itself how it asks"),
        ({"temperature": 1}, "a setting of its own"),
        ({"a": float("nan")}, "must be JSON"),
        ({"a": "x" * 20_000}, "the limit is 20,000"),
    ],
)
def test_what_may_not_be_added_to_a_request_is_refused(extra: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(extra_body=extra)


async def test_the_key_is_sent_as_authorization_and_nowhere_else(
    server: ModelServer, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    split(server, *PARTS)
    await ask({**context, "api_key_env": "MY_KEY"}, graph)
    assert len(server.asked) == 5
    for request in server.asked:
        holding = {name for name, value in request.headers.items() if KEY in value}
        assert holding == {"Authorization"} and request.headers["Authorization"] == f"Bearer {KEY}"
        assert KEY not in str(request.body)


@both_ways
async def test_a_redirect_is_not_followed(
    server: ModelServer, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch, streaming: bool
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    async with model_server() as other:
        server.on("direct", Fault(status=307, headers={"Location": f"{other.url}/chat/completions"}))
        solution = await ask({**context, "api_key_env": "MY_KEY"}, streaming=streaming)
        assert solution["outcome"] == "failed" and "(HTTP 307), which is not followed" in solution["stop_reason"]
        assert not other.asked and solution["report"].calls == 3


# What is counted and kept


@both_ways
async def test_every_reply_is_counted_good_or_not(
    server: ModelServer, context: dict[str, Any], streaming: bool
) -> None:
    server.on("assess", Reply("No idea.", prompt_tokens=101, completion_tokens=7), outline(*PARTS))
    server.on(PARTS[0], Reply("", prompt_tokens=31), Reply("Result: 1", completion_tokens=9, reasoning_tokens=4))
    server.on(PARTS[1], Reply("I think", finish_reason="length", completion_tokens=77))
    server.on("review", {"redo": "fine"})
    solution = await ask({**context, "max_rounds": 0}, graph, streaming=streaming)
    assert solution["outcome"] == "partial" and solution["report"].calls == len(server.asked) == 9
    assert reported(solution) == spent(server)


@both_ways
@pytest.mark.parametrize(
    ("model", "reply"),
    [
        ("openai:r1", Reply("<think>Two and\ntwo.</think>\n\nSo:\nResult: 4")),
        ("openai:r1", Reply("Two and\ntwo.\n</think>So:\nResult: 4")),
        ("deepseek:r1", Reply("So:\nResult: 4", reasoning="Two and\ntwo.")),
    ],
)
async def test_reasoning_is_kept_apart_from_the_answer(
    server: ModelServer, context: dict[str, Any], model: str, reply: Reply, streaming: bool
) -> None:
    split(server, *PARTS)
    server.on(PARTS[0], reply)
    solution = await ask({**context, "model": model}, graph, streaming=streaming)
    thread = solution["threads"][0]
    assert (thread.reasoning, thread.text, thread.answer) == ("Two and\ntwo.", "So:\nResult: 4", "4")
    assert "Two and" not in server.calls("review")[0].prompt


# What never shows


class Everything(AsyncCallbackHandler):
    """What a tracer sees."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def on_llm_error(self, error: BaseException, **more: Any) -> None:
        self.seen.append(f"{error!r} {error} {more}")

    async def on_chain_end(self, outputs: Any, **more: Any) -> None:
        self.seen.append(f"{outputs!r} {more}")

    async def on_chat_model_start(self, serialized: Any, messages: Any, **more: Any) -> None:
        self.seen.append(f"{serialized} {messages} {more}")


@pytest.mark.parametrize("model", ["openai:x", "deepseek:x"])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_the_key_never_shows_even_if_the_server_repeats_it(
    server: ModelServer,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    model: str,
    status: int,
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    echo = f'{{"error": {{"message": "{"x" * 280} key {KEY} is wrong"}}}}'
    split(server, *PARTS)
    server.on(PARTS[0], Fault(status=status, body=echo, headers={"Retry-After": "0"}))
    server.on("review", Fault(status=status, body=echo, headers={"Retry-After": "0"}))
    seconds = 4 if status in (429, 500) else 30  # these are asked for again until the time is up
    limits = {"thread_timeout": seconds, "request_timeout": seconds}
    context = {**context, "model": model, "api_key_env": "MY_KEY", "max_rounds": 0, **limits}
    tracer = Everything()
    shown = [
        repr(seen)
        async for seen in graph.astream(
            {"question": "What is it?"},
            {"callbacks": [tracer]},
            context=context,
            stream_mode=["values", "updates", "messages", "custom", "debug", "tasks"],
        )
    ]
    assert any(f"HTTP {status}" in text for text in shown) and tracer.seen
    assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    for text in [*shown, *tracer.seen, *(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)]:
        assert KEY[:12] not in text
    async for event in graph.astream_events({"question": "What is it?"}, context=context, version="v2"):
        assert KEY[:12] not in repr(event)


@pytest.mark.parametrize("address", ["http://me:hush-hush@host/v1", "http://me:hush-hush@[/v1", "me:hush-hush@host"])
async def test_a_password_in_the_address_is_refused_and_never_shows(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        await ask({"model": "openai:x", "base_url": address}, graph)
    assert "hush-hush" not in f"{refused.value} {refused.value!r} {refused.value.errors()}"
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL") as held:
        await ask({"model": "openai:x"}, graph)
    assert "hush-hush" not in str(held.value)

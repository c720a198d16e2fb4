"""How models are called: what is sent, what is tried again, what is counted, and what is left behind."""

import asyncio
import email.utils
import gc
import logging
import subprocess
import sys
import textwrap
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from langchain_core.callbacks import AsyncCallbackHandler
from pydantic import ValidationError

from graphs import graph, sequential
from nodes.llm import clients
from nodes.llm.replies.errors import ConfigurationError
from nodes.llm.servers import connections
from tests.support.server import DROP, HANG, Fault, ModelServer, Reply, Step, Tool, model_server, outline

KEY = "sk-planted-0123456789abcdef"
PARTS = ["What is one?", "What is two?", "What is three?"]


async def ask(context: dict[str, Any], asked: Any = sequential, *, streaming: bool = False) -> dict[str, Any]:
    """Run a graph, as `ainvoke` does or while its messages are streamed."""
    question = {"question": "What is it?"}
    if not streaming:
        invoked: dict[str, Any] = await asked.ainvoke(question, context=context)
        return invoked
    async for mode, seen in asked.astream(question, context=context, stream_mode=["messages", "values"]):
        if mode == "values":
            solution = seen
    assert isinstance(solution, dict)
    return solution


def split(server: ModelServer, *parts: str) -> None:
    """Script a question of these parts."""
    server.on("assess", outline(*parts))


def spent(server: ModelServer) -> tuple[int, int, int]:
    """What the server counted."""
    return server.usage["input"], server.usage["output"], server.usage["reasoning"]


def reported(solution: dict[str, Any]) -> tuple[int, int, int]:
    """What the run says that it used."""
    tokens = solution["report"].tokens
    assert tokens.total == tokens.input + tokens.output
    return tokens.input, tokens.output, tokens.reasoning


both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])


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


# What is tried again


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_what_stays_wrong_is_not_asked_again(server: ModelServer, context: dict[str, Any], status: int) -> None:
    server.on("direct", Fault(status=status), "Yes.")
    solution = await ask(context)
    assert solution["outcome"] == "failed" and f"HTTP {status}" in solution["stop_reason"]
    assert len(server.asked) == solution["report"].calls == 1


@both_ways
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(status=500), id="500"),
        pytest.param(Fault(status=503, body="upstream gone", content_type="text/plain"), id="503"),
        pytest.param(DROP, id="dropped"),
        pytest.param(Reply(), id="empty"),
        pytest.param(Reply("<think>Hm.</think>"), id="only thought"),
        pytest.param(Tool({"a": 1}), id="tool not offered"),
    ],
)
async def test_a_passing_fault_costs_one_more_request(
    server: ModelServer, context: dict[str, Any], fault: Step, streaming: bool
) -> None:
    server.on("direct", fault, "Yes.")
    solution = await ask(context, streaming=streaming)
    assert (solution["answer"], solution["outcome"], solution["stop_reason"]) == ("Yes.", "complete", "")
    assert (len(server.asked), solution["report"].calls, solution["report"].retries) == (2, 2, 1)
    assert reported(solution) == spent(server)


async def test_a_thread_counts_its_tries(server: ModelServer, context: dict[str, Any]) -> None:
    split(server, *PARTS)
    server.on(PARTS[1], Fault(status=500), "Result: 2")
    solution = await ask(context, graph)
    assert [thread.attempts for thread in solution["threads"]] == [1, 2, 1]
    assert [thread.usage.total for thread in solution["threads"]] == [15, 15, 15]


@both_ways
async def test_an_empty_reply_is_asked_for_once_more_and_no_further(
    server: ModelServer, context: dict[str, Any], streaming: bool
) -> None:
    server.on("direct", "")
    solution = await ask(context, streaming=streaming)
    assert solution["outcome"] == "failed" and "reply was empty" in solution["stop_reason"]
    assert len(server.asked) == 2
    assert reported(solution) == spent(server) == (20, 10, 0)


async def test_a_lasting_fault_is_given_up_after_four_requests(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("direct", Fault(status=500, headers={"Retry-After": "0"}))
    solution = await ask(context)
    assert f"{server.url} failed (HTTP 500): " in solution["stop_reason"] and "scripted 500" in solution["stop_reason"]
    assert len(server.asked) == 4


def seconds(wait: int) -> str:
    return str(wait)


def date(wait: int) -> str:
    return email.utils.formatdate(time.time() + wait, usegmt=True)


@pytest.mark.parametrize("wish", [seconds, date])
async def test_a_rate_limited_request_waits_as_long_as_it_was_told(
    server: ModelServer, context: dict[str, Any], wish: Callable[[int], str]
) -> None:
    began = time.time()
    server.on("direct", Fault(status=429, headers={"Retry-After": wish(3)}), "Yes.")
    solution = await ask(context)
    assert solution["answer"] == "Yes." and len(server.asked) == 2
    assert time.time() - began >= 2  # a date knows whole seconds only, and a wait of our own would be under 1 s


@pytest.mark.parametrize("wish", ["3600", "inf", "Fri, 31 Dec 2100 23:59:59 GMT"])
async def test_a_wait_beyond_the_time_limit_fails_at_once_and_says_why(
    server: ModelServer, context: dict[str, Any], wish: str
) -> None:
    server.on("direct", Fault(status=429, headers={"Retry-After": wish}))
    began = time.monotonic()
    solution = await ask({**context, "request_timeout": 60})
    assert time.monotonic() - began < 5
    assert "limits the rate of requests (HTTP 429)" in solution["stop_reason"] and len(server.asked) == 1


@pytest.mark.parametrize("wish", ["soon", "", "-3", "nan"])
async def test_a_senseless_wait_is_passed_over(server: ModelServer, context: dict[str, Any], wish: str) -> None:
    server.on("direct", Fault(status=429, headers={"Retry-After": wish}), "Yes.")
    assert (await ask(context))["answer"] == "Yes."


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
    context = {
        **context,
        "model": model,
        "api_key_env": "MY_KEY",
        "max_rounds": 0,
        "thread_timeout": 2,
        "request_timeout": 2,
    }
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


# What is left behind


@both_ways
async def test_a_cancelled_run_closes_its_requests_and_leaves_no_task(
    server: ModelServer, context: dict[str, Any], streaming: bool
) -> None:
    split(server, *PARTS)
    for part in PARTS:
        server.on(part, HANG)
    before = asyncio.all_tasks()
    running = asyncio.create_task(ask(context, graph, streaming=streaming))
    await server.wait_for(3, "solve")
    assert server.open == 3
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await server.wait_until_idle()
    assert [request.dropped for request in server.calls("solve")] == [True] * 3
    assert len(server.asked) == 4
    left = {repr(task.get_coro()) for task in asyncio.all_tasks() - before}
    assert not {name for name in left if "RequestHandler.start" not in name}  # the server's own


SCRIPT = """
    import asyncio, gc, sys, warnings
    warnings.simplefilter("error")
    from graphs import graph

    async def ask(model, streaming):
        context = {"model": model, "base_url": sys.argv[1]}
        if not streaming:
            return await graph.ainvoke({"question": "?"}, context=context)
        async for _, last in graph.astream({"question": "?"}, context=context, stream_mode=["messages", "values"]):
            pass
        return last

    for model in ("openai:x", "deepseek:x"):
        for streaming in (False, True, False):
            print(asyncio.run(ask(model, streaming))["outcome"])
            gc.collect()
"""


async def test_clients_that_nobody_uses_are_closed_and_limits_are_forgotten(
    monkeypatch: pytest.MonkeyPatch, server: ModelServer
) -> None:
    monkeypatch.setattr(clients._limiters, "most", 5)
    monkeypatch.setattr(clients, "MAX_CLIENTS", 3)
    opened: list[weakref.ref[Any]] = []
    real = connections._http_client

    def noted(endpoint: Any) -> Any:
        http = real(endpoint)
        opened.append(weakref.ref(http))
        return http

    monkeypatch.setattr(connections, "_http_client", noted)
    port = server.url.rpartition(":")[2]
    for number in range(2, 12):
        context = {"model": "openai:scripted", "base_url": f"http://127.0.0.{number}:{port}"}
        assert (await ask({**context, "request_timeout": 1}))["outcome"] == "failed"
    gc.collect()
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        while connections._closing:
            await asyncio.gather(*connections._closing)
    gc.collect()
    assert len(opened) == 10 and len(clients._limiters) <= 5
    left = [http for http in (one() for one in opened) if http is not None]
    assert sum(not http.is_closed for http in left) <= 3


async def test_one_process_can_run_several_loops_forgets_nothing_and_leaves_nothing_open(server: ModelServer) -> None:
    server.refuses = {"response_format"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-c", textwrap.dedent(SCRIPT), server.url),
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out.decode().split(), err.decode()) == (0, ["complete"] * 6, "")
    assert ["tools" in request.body for request in server.calls("assess")] == [False, True, True, True] * 2


@pytest.fixture
def no_blocking() -> Iterator[None]:
    """Make every blocking call in the event loop an error, as `langgraph dev` does."""
    with blockbuster_ctx():
        yield


@both_ways
@pytest.mark.parametrize("model", ["openai:blocks", "deepseek:blocks"])
async def test_nothing_blocks_the_event_loop(
    server: ModelServer, context: dict[str, Any], no_blocking: None, model: str, streaming: bool
) -> None:
    split(server, *PARTS)
    server.on(PARTS[0], Fault(status=500, headers={"Retry-After": "0"}), "Result: 1")
    context = {**context, "model": model}
    solution = await ask(context, graph, streaming=streaming)
    assert (solution["outcome"], len(solution["threads"])) == ("complete", 3)

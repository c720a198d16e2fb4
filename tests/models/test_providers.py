"""Providers through LangChain's packages, against loopback servers that speak their protocols as documented."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from graphs import graph
from tests.support.server import ModelServer
from tests.support.server.providers import Provider, running
from tests.support.subjects.calls import PARTS, ask, both_ways, split

KEY, OTHER = "planted-anthropic-0123456789", "planted-openai-0123456789"


class Anthropic(Provider):
    """The Messages API (docs.anthropic.com/en/api/messages, …/messages-streaming)."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await self.take(request)
        if self.faults:
            return self.faults.pop(0)
        system = body["system"] if isinstance(body["system"], str) else body["system"][0]["text"]
        planned = self.planned(system)
        block: dict[str, Any] = {"type": "text", "text": "Result: x"}
        if planned is not None and "tools" in body:
            assert body["tool_choice"] == {"type": "tool", "name": body["tools"][0]["name"]}
            block = {"type": "tool_use", "id": "t1", "name": body["tools"][0]["name"], "input": planned}
        elif planned is not None:
            block["text"] = json.dumps(planned)
        usage = {"input_tokens": 11, "output_tokens": 5, "cache_read_input_tokens": 4}
        message = {"id": "m1", "type": "message", "role": "assistant", "model": body["model"], "content": [block]}
        message |= {"stop_reason": self.reason, "stop_sequence": None, "usage": usage}
        return await self._stream(request, message) if body.get("stream") else web.json_response(message)

    async def _stream(self, request: web.Request, message: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        block = message["content"][0]
        text = block.get("text")
        begun = {**block, "text": ""} if text is not None else {**block, "input": {}}
        delta: dict[str, Any] = {"type": "input_json_delta", "partial_json": json.dumps(block.get("input"))}
        if text is not None:
            delta = {"type": "text_delta", "text": text}
        start = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": begun},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": self.reason, "stop_sequence": None},
                "usage": message["usage"],
            },
            {"type": "message_stop"},
        ]
        for event in events:
            await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        return response


class Ollama(Provider):
    """Ollama's own chat API (github.com/ollama/ollama/blob/main/docs/api.md)."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await self.take(request)
        if self.faults:
            return self.faults.pop(0)
        planned = self.planned(body["messages"][0]["content"])
        assert planned is None or isinstance(body["format"], dict)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        shared = {"model": body["model"], "created_at": "2026-01-01T00:00:00Z"}
        said = "Result: x" if planned is None else json.dumps(planned)
        pieces: list[dict[str, Any]] = [{"message": {"role": "assistant", "content": said}, "done": False}]
        counts = {"done": True, "done_reason": "stop", "prompt_eval_count": 15, "eval_count": 5}
        pieces.append({"message": {"role": "assistant", "content": ""}, **counts})
        for piece in pieces:
            await response.write(f"{json.dumps(shared | piece)}\n".encode())
        return response


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL", "OLLAMA_HOST", "OLLAMA_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", OTHER)


@pytest.fixture
async def anthropic() -> AsyncIterator[tuple[Anthropic, dict[str, Any]]]:
    pytest.importorskip("langchain", reason="langchain is not installed")
    pytest.importorskip("langchain_anthropic", reason="langchain-anthropic is not installed")
    provider = Anthropic()
    async with running(provider, "/v1/messages") as address:
        yield provider, {"model": "anthropic:claude-any", "base_url": address}


@both_ways
async def test_anthropic_does_all_the_work(anthropic: Any, streaming: bool) -> None:
    provider, context = anthropic
    context |= {"max_tokens": 700, "temperature": 0.5}
    solution = await ask(context, graph, streaming=streaming)
    assert (solution["outcome"], solution["route"]) == ("complete", "parallel"), solution["stop_reason"]
    assert [thread.answer for thread in solution["threads"]] == ["x"] * 3
    calls = solution["report"].calls
    assert calls == len(provider.asked) == 5
    # LangChain counts what came of the cache as read, too.
    tokens = solution["report"].tokens
    assert (tokens.input, tokens.output, tokens.cached) == (15 * calls, 5 * calls, 4 * calls)
    assert {(body["max_tokens"], body["temperature"]) for body in provider.asked} == {(700, 0.5)}
    assert any(body.get("stream") for body in provider.asked) is streaming
    assert all(KEY in headers and OTHER not in headers for headers in provider.headers)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, "authentication_error", "unauthorized"),
        (404, "not_found_error", "not_found"),
        (429, "rate_limit_error", "rate_limited"),
        (529, "overloaded_error", "overloaded"),
        (500, "api_error", "server_error"),
    ],
)
async def test_anthropics_errors_are_told_apart(anthropic: Any, status: int, kind: str, said: str) -> None:
    provider, context = anthropic
    told = {"type": "error", "error": {"type": kind, "message": f"something about {KEY}"}}
    provider.faults = [web.json_response(told, status=status, headers={"Retry-After": "0"})]
    solution = await ask(context)
    statuses = [call.status for call in solution["calls"]]
    assert statuses[0] == said and len(provider.asked) == len(statuses)  # its client tries nothing again by itself
    assert solution["outcome"] == ("failed" if status in (401, 404) else "complete")
    assert KEY not in str(solution)


async def test_a_cut_reply_of_anthropics_is_known_as_cut(anthropic: Any) -> None:
    provider, context = anthropic
    provider.reason = "max_tokens"
    solution = await ask(context)
    assert solution["outcome"] == "partial" and "cut at the token limit" in solution["stop_reason"]


async def test_keys_of_two_providers_do_not_cross(anthropic: Any, server: ModelServer) -> None:
    provider, context = anthropic
    split(server, *PARTS)
    mixed = {
        "model": "openai:scripted",
        "base_url": server.url,
        "solve_model": context["model"],
        "solve_base_url": context["base_url"],
        "solve_api_key_env": "ANTHROPIC_API_KEY",
    }
    solution = await ask(mixed, graph)
    assert solution["outcome"] == "complete" and len(provider.asked) == 3 and not server.calls("solve")
    assert all(KEY in headers and OTHER not in headers for headers in provider.headers)
    assert KEY not in str([(one.headers, one.body) for one in server.asked])
    # At an address for which no key is named, the client takes none from the environment.
    provider.headers.clear()
    await ask({**mixed, "solve_api_key_env": None}, graph)
    assert provider.headers and all(KEY not in headers and OTHER not in headers for headers in provider.headers)


@both_ways
async def test_ollama_does_all_the_work(streaming: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain", reason="langchain is not installed")
    pytest.importorskip("langchain_ollama", reason="langchain-ollama is not installed")
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    provider = Ollama()
    async with running(provider, "/api/chat") as address:
        context = {"model": "ollama:any", "base_url": address, "max_tokens": 99, "temperature": 0.5}
        provider.faults = [web.json_response({"error": "busy"}, status=503)]
        solution = await ask(context, graph, streaming=streaming)
    assert solution["outcome"] == "complete", solution["stop_reason"]
    assert [thread.answer for thread in solution["threads"]] == ["x"] * 3
    calls = [call for call in solution["calls"] if call.status == "ok"]
    assert [call.status for call in solution["calls"]].count("overloaded") == 1 and len(calls) == 5
    assert (solution["report"].tokens.input, solution["report"].tokens.output) == (75, 25)
    assert {(body["options"]["num_predict"], body["options"]["temperature"]) for body in provider.asked} == {(99, 0.5)}
    assert not any(KEY in headers for headers in provider.headers)

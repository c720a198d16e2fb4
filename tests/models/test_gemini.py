"""Google's package against a loopback server that speaks Gemini's protocol as it is documented.

Requests, replies and streams as in ai.google.dev/api/generate-content, errors as in google.rpc.Status.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from graphs import build_graph, graph
from tests.support.server.providers import Provider, running
from tests.support.subjects.calls import ask, both_ways

pytest.importorskip("langchain", reason="langchain is not installed")
pytest.importorskip("google.genai", reason="langchain-google-genai 4 or newer is not installed")
pytest.importorskip("langchain_google_genai", reason="langchain-google-genai is not installed")

# What Google's package does with aiohttp's.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:google.*", "ignore::pytest.PytestUnraisableExceptionWarning"
)

KEY, OTHER = "planted-google-0123456789", "planted-openai-0123456789"


class Gemini(Provider):
    """`models.generateContent` and `models.streamGenerateContent` of the Gemini API."""

    def __init__(self) -> None:
        super().__init__()
        self.reason = "STOP"
        self.thoughts = ""
        self.paths: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await self.take(request)
        model, _, method = request.match_info["call"].partition(":")
        self.paths.append(method)
        if self.faults:
            return self.faults.pop(0)
        parts = [{"text": self.thoughts, "thought": True}] if self.thoughts else []
        parts.append(self.said(body))
        if method == "generateContent":
            return web.json_response(self.reply(model, parts, self.reason))
        assert (method, request.query["alt"]) == ("streamGenerateContent", "sse")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in [*parts[:-1], *cut(parts[-1])]:
            await response.write(f"data: {json.dumps(self.reply(model, [piece], ''))}\r\n\r\n".encode())
        last = self.reply(model, [{"text": ""}], self.reason)
        await response.write(f"data: {json.dumps(last)}\r\n\r\n".encode())
        return response

    def said(self, body: dict[str, Any]) -> dict[str, Any]:
        planned = self.planned(body["systemInstruction"]["parts"][0]["text"])
        config = body["generationConfig"]
        if planned is None:
            return self.answered(body)
        if config.get("responseMimeType") == "application/json":
            assert config["responseJsonSchema"]["properties"].keys() >= planned.keys()
            return {"text": json.dumps(planned)}
        (tool,) = body["tools"][0]["functionDeclarations"]
        forced = body["toolConfig"]["functionCallingConfig"]
        assert (forced["mode"], forced["allowedFunctionNames"]) == ("ANY", [tool["name"]])
        return {"functionCall": {"name": tool["name"], "args": planned}, "thoughtSignature": "c2lnbmVk"}

    def answered(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer, after one call of a tool if there is one, which comes back with its signature."""
        sent = [part for content in body["contents"] for part in content["parts"]]
        results = [part["functionResponse"] for part in sent if "functionResponse" in part]
        if not body.get("tools"):
            return {"text": "Result: x"}
        if not results:
            (tool,) = body["tools"][0]["functionDeclarations"]
            return {"functionCall": {"name": tool["name"], "args": {"tower": "Eiffel"}}, "thoughtSignature": "c2lnbmVk"}
        assert all(part.get("thoughtSignature") for part in sent if "functionCall" in part)
        return {"text": f"Result: {'330 m' if '330 m' in str(results) else 'unknown'}"}

    def reply(self, model: str, parts: list[dict[str, Any]], reason: str) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        usage = {"promptTokenCount": 15, "cachedContentTokenCount": 4, "totalTokenCount": 15}
        if reason:
            candidate["finishReason"] = reason
            usage |= {"candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 23}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "r1"}


def cut(part: dict[str, Any]) -> list[dict[str, Any]]:
    """Cut a text in two; a call is sent whole."""
    text = part.get("text")
    return [part] if text is None else [{"text": text[:4]}, {"text": text[4:]}]


def failed(status: int, kind: str, message: str, *details: dict[str, Any]) -> web.Response:
    error = {"code": status, "message": message, "status": kind, "details": list(details)}
    return web.json_response({"error": error}, status=status)


@pytest.fixture
async def gemini(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Gemini, dict[str, Any]]]:
    for name in ("GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", OTHER)
    provider = Gemini()
    async with running(provider, "/{version}/models/{call}") as address:
        yield provider, {"model": "google_genai:gemini-any", "base_url": address, "api_key_env": "GOOGLE_API_KEY"}


# LangChain knows the second as one that takes no schemas.
@pytest.mark.parametrize("model", ["gemini-any", "gemini-3.1-flash-live-preview"])
@both_ways
async def test_gemini_does_all_the_work(gemini: Any, streaming: bool, model: str) -> None:
    provider, context = gemini
    context["model"] = f"google_genai:{model}"
    provider.thoughts = "Let me see."
    context |= {"max_tokens": 700, "temperature": 0.5, "top_p": 0.9, "seed": 7}
    solution = await ask(context, graph, streaming=streaming)
    assert (solution["outcome"], solution["route"]) == ("complete", "parallel"), solution["stop_reason"]
    assert [thread.answer for thread in solution["threads"]] == ["x"] * 3
    assert [thread.reasoning for thread in solution["threads"]] == ["Let me see."] * 3
    report = solution["report"]
    assert report.calls == len(provider.asked) == 5
    counted = (report.tokens.input, report.tokens.output, report.tokens.reasoning, report.tokens.cached)
    assert counted == (15 * 5, 8 * 5, 3 * 5, 4 * 5)
    sampled = {
        tuple(body["generationConfig"][name] for name in ("maxOutputTokens", "temperature", "topP", "seed"))
        for body in provider.asked
    }
    assert sampled == {(700, 0.5, 0.9, 7)}
    assert ("streamGenerateContent" in provider.paths) is streaming
    assert all(KEY in headers and OTHER not in headers for headers in provider.headers)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (400, "INVALID_ARGUMENT", "bad_request"),
        (403, "PERMISSION_DENIED", "unauthorized"),
        (404, "NOT_FOUND", "not_found"),
        (429, "RESOURCE_EXHAUSTED", "rate_limited"),
        (500, "INTERNAL", "server_error"),
        (503, "UNAVAILABLE", "overloaded"),
    ],
)
async def test_geminis_errors_are_told_apart(gemini: Any, status: int, kind: str, said: str) -> None:
    provider, context = gemini
    provider.faults = [failed(status, kind, f"something about {KEY}")]
    solution = await ask(context)
    statuses = [call.status for call in solution["calls"]]
    assert statuses[0] == said and len(provider.asked) == len(statuses)  # its client tries nothing again by itself
    assert solution["outcome"] == ("failed" if status < 429 else "complete")
    assert KEY not in str(solution)


async def test_geminis_wish_to_wait_is_heard(gemini: Any) -> None:
    provider, context = gemini
    wish = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3600s"}
    provider.faults = [failed(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", wish)]
    solution = await ask({**context, "request_timeout": 60})
    assert len(provider.asked) == 1 and "(HTTP 429): Quota exceeded." in solution["stop_reason"]


@pytest.mark.parametrize(
    ("reason", "outcome", "why"), [("MAX_TOKENS", "partial", "cut at the token limit"), ("SAFETY", "partial", "filter")]
)
@both_ways
async def test_how_geminis_reply_ended_is_known(
    gemini: Any, streaming: bool, reason: str, outcome: str, why: str
) -> None:
    provider, context = gemini
    provider.reason = reason
    solution = await ask(context, streaming=streaming)
    assert solution["outcome"] == outcome and why in solution["stop_reason"]


@both_ways
async def test_gemini_calls_tools(gemini: Any, streaming: bool) -> None:
    def height_of(tower: str) -> str:
        """Tell how tall a tower is."""
        return f"{tower}: 330 m"

    provider, context = gemini
    context["model"] = "google_genai:gemini-3-pro"
    solution = await ask(context, build_graph(tools=[height_of]), streaming=streaming)
    assert solution["outcome"] == "complete", solution["stop_reason"]
    assert [thread.answer for thread in solution["threads"]] == ["330 m"] * 3
    assert [(total.name, total.calls, total.failed) for total in solution["report"].tools] == [("height_of", 3, 0)]

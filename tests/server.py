"""A real loopback server that speaks the chat completions protocol from a script.

Replies are keyed by what is asked (a role, or a thread's subquestion), not by the order of calls, so
that parallel threads can be scripted. A step is text, an object (sent as JSON), or a fault.
"""

import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel

SHAPES = {"Assessment": "assess", "Plan": "decompose", "Review": "review"}


@dataclass(frozen=True)
class Fault:
    """Something other than a sound reply with status 200."""

    status: int = 200
    body: str | None = None
    """Sent as it is; `None` stands for a usual error object."""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True)
class Reply:
    """A sound reply with chosen details."""

    text: str = ""
    finish_reason: str = "stop"
    reasoning: str = ""
    refusal: str | None = None
    delay: float = 0.0
    prompt_tokens: int = 10
    completion_tokens: int = 5
    reasoning_tokens: int = 0


@dataclass(frozen=True)
class Tool:
    """A reply that calls the tool it was offered."""

    arguments: Any


HANG = Fault(status=-1)
"""Never answer."""
DROP = Fault(status=-2)
"""Close the connection instead of answering; while streaming, after the first words."""

Step = str | BaseModel | dict[str, Any] | Reply | Tool | Fault


@dataclass
class Asked:
    """A request that the server got."""

    role: str
    key: str
    """The role, or a thread's subquestion."""
    body: dict[str, Any]
    headers: Mapping[str, str]
    at: float
    ended: float | None = None
    dropped: bool = False
    """The client went away before it was answered."""

    @property
    def prompt(self) -> str:
        """All that was said to the model, examples included."""
        return "\n".join(str(message["content"]) for message in self.body["messages"])

    @property
    def last(self) -> str:
        """The last message: what varies."""
        return str(self.body["messages"][-1]["content"])


class ModelServer:
    """The scripted server.

    Attributes:
        script: Steps by key; the last step of a key repeats for ever.
        asked: Every request, in order of arrival.
        usage: What the replies that were sent counted, summed.
    """

    def __init__(self) -> None:
        self.script: dict[str, Sequence[Step]] = {}
        self.asked: list[Asked] = []
        self.usage: dict[str, int] = defaultdict(int)
        self.open = 0
        self.peak = 0
        self.url = ""
        self.arrived = asyncio.Condition()
        self._count: dict[str, int] = defaultdict(int)

    def on(self, key: str, *steps: Step) -> "ModelServer":
        """Script the replies to a role or a subquestion."""
        self.script[key] = steps
        return self

    def calls(self, role: str | None = None) -> list[Asked]:
        """The requests of a role, or all."""
        return [request for request in self.asked if role in (None, request.role)]

    def about(self, key: str) -> list[Asked]:
        """The requests of one key."""
        return [request for request in self.asked if request.key == key]

    async def wait_for(self, count: int, role: str | None = None) -> None:
        """Wait until so many requests of a role have arrived."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.calls(role)) >= count)

    async def handle(self, http: web.Request) -> web.StreamResponse:
        body = await http.json()
        role, key = who_asks(body)
        request = Asked(role, key, body, dict(http.headers), time.perf_counter())
        self.open += 1
        self.peak = max(self.peak, self.open)
        async with self.arrived:
            self.asked.append(request)
            self.arrived.notify_all()
        try:
            return await self._answer(http, request)
        except (asyncio.CancelledError, ConnectionResetError):
            request.dropped = True
            raise
        finally:
            request.ended = time.perf_counter()
            self.open -= 1
            async with self.arrived:
                self.arrived.notify_all()

    async def _answer(self, http: web.Request, request: Asked) -> web.StreamResponse:
        step = self._next_step(request)
        if step == HANG:
            await asyncio.Event().wait()
        if step == DROP and not request.body.get("stream"):
            assert http.transport is not None
            http.transport.abort()
            raise ConnectionResetError
        if isinstance(step, Fault) and step != DROP:
            text = step.body
            if text is None:
                text = json.dumps({"error": {"message": f"scripted {step.status}", "code": step.status}})
            return web.Response(
                status=step.status, text=text, headers=dict(step.headers), content_type=step.content_type
            )
        reply = step if isinstance(step, Reply) else Reply(text=as_text(step))
        if reply.delay:
            await asyncio.sleep(reply.delay)
        self.usage["input"] += reply.prompt_tokens
        self.usage["output"] += reply.completion_tokens
        self.usage["reasoning"] += reply.reasoning_tokens
        if request.body.get("stream"):
            return await stream(http, reply, broken=step == DROP)
        return web.json_response(completion(reply, step))

    def _next_step(self, request: Asked) -> Step:
        steps = self.script.get(request.key) or self.script.get(request.role)
        if not steps:
            return default_step(request)
        number = self._count[request.key]
        self._count[request.key] += 1
        return steps[min(number, len(steps) - 1)]


def who_asks(body: dict[str, Any]) -> tuple[str, str]:
    """Tell the role and the key of a request from what it asks for."""
    wanted = body.get("response_format", {}).get("json_schema", {}).get("name")
    if not wanted and body.get("tools"):
        wanted = body["tools"][0]["function"]["name"]
    system = str(body["messages"][0]["content"])
    if not wanted:
        # The lower rungs ask in words.
        names = {"You decide": "Assessment", "You split": "Plan", "Threads worked": "Review"}
        wanted = next((shape for start, shape in names.items() if system.startswith(start)), None)
    if wanted:
        return SHAPES[wanted], SHAPES[wanted]
    last = str(body["messages"][-1]["content"])
    found = re.search(r"^Subquestion:\n(.*)\Z", last, re.DOTALL | re.MULTILINE)
    return ("solve", found.group(1)) if found else ("direct", "direct")


def default_step(request: Asked) -> Step:
    """Answer sensibly where nothing was scripted."""
    if request.role == "assess":
        return {"subquestions": [], "decomposable": False, "complexity": "simple", "reason": "one question"}
    if request.role == "review":
        ids = re.findall(r'^\{"thread_id": "(T[\d.]+)"', request.last, re.MULTILINE)
        verdicts = [{"thread_id": id, "verdict": "accept", "critique": ""} for id in ids]
        return {"verdicts": verdicts, "contradictions": [], "answer": "All of it."}
    return f"Thinking.\nResult: answer to {request.key}"


def as_text(step: Step) -> str:
    """Write a step's text."""
    if isinstance(step, BaseModel):
        return step.model_dump_json()
    return step if isinstance(step, str) else json.dumps(step) if isinstance(step, dict) else ""


def completion(reply: Reply, step: Step) -> dict[str, Any]:
    """Write a whole reply as the protocol has it."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.refusal:
        message["refusal"] = reply.refusal
    if isinstance(step, Tool):
        function = {"name": "any", "arguments": json.dumps(step.arguments)}
        message |= {"content": None, "tool_calls": [{"id": "1", "type": "function", "function": function}]}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
        "usage": usage(reply),
    }


def usage(reply: Reply) -> dict[str, Any]:
    """Count tokens as servers do."""
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
    }


async def stream(http: web.Request, reply: Reply, *, broken: bool) -> web.StreamResponse:
    """Send a reply in pieces, as server-sent events."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(http)
    shared = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}

    async def send(payload: dict[str, Any]) -> None:
        await response.write(f"data: {json.dumps(shared | payload)}\n\n".encode())

    words = re.findall(r"\S+\s*", reply.text) or [""]
    for number, word in enumerate(words):
        delta = {"role": "assistant", "content": word} if number == 0 else {"content": word}
        await send({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    if broken:
        assert http.transport is not None
        http.transport.abort()
        raise ConnectionResetError
    await send({"choices": [{"index": 0, "delta": {}, "finish_reason": reply.finish_reason}]})
    await send({"choices": [], "usage": usage(reply)})
    await response.write(b"data: [DONE]\n\n")
    return response


@asynccontextmanager
async def model_server() -> AsyncIterator[ModelServer]:
    """Run a scripted server on a free port of the loopback interface."""
    server = ModelServer()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


def assessment(*subquestions: str) -> dict[str, Any]:
    """An assessment that finds these parts."""
    return {
        "subquestions": list(subquestions),
        "decomposable": True,
        "complexity": "moderate",
        "reason": "independent parts",
    }


def plan(
    *subquestions: str, sources: Sequence[Sequence[int]] = (), shared: str = "", degree: int = 8
) -> dict[str, Any]:
    """A plan with one thread for each subquestion."""
    return {
        "shared_context": shared,
        "parallelism": degree,
        "threads": [
            {"id": f"T{number}", "sources": list(sources[number - 1]) if sources else [], "subquestion": subquestion}
            for number, subquestion in enumerate(subquestions, 1)
        ],
    }


def review(answer: str = "", contradictions: Sequence[dict[str, Any]] = (), **verdicts: str) -> dict[str, Any]:
    """A review; `T2="retry: wrong sum"` sends T2 back with a critique."""
    words = []
    for id, said in verdicts.items():
        verdict, _, critique = said.partition(": ")
        words.append({"thread_id": id, "verdict": verdict, "critique": critique})
    return {"verdicts": words, "contradictions": list(contradictions), "answer": answer}

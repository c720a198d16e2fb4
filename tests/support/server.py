"""A real loopback server that speaks the chat completions protocol from a script.

Replies are keyed by what is asked (a role, or a thread's subquestion), not by the order of calls, so
that parallel threads can be scripted. A step is text, an object (sent as JSON), or a fault.
"""

import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web
from pydantic import BaseModel

SHAPES = {"Outline": "assess", "Plan": "decompose", "Review": "review", "score": "judge"}


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
    """Empty for a reply that ends without saying why."""
    reasoning: str = ""
    refusal: str | None = None
    delay: float = 0.0
    prompt_tokens: int = 10
    completion_tokens: int = 5
    reasoning_tokens: int = 0
    cached_tokens: int = 0

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Tokens read, written, and those of them that were reasoning and cached."""
        return self.prompt_tokens, self.completion_tokens, self.reasoning_tokens, self.cached_tokens


@dataclass(frozen=True)
class Tool:
    """A reply that calls the tool it was offered."""

    arguments: Any
    """Sent as JSON; text is sent as it is."""
    finish_reason: str = "tool_calls"


@dataclass(frozen=True)
class Events:
    """A stream sent as it is; each item is an event's data, text as it is and anything else as JSON."""

    data: Sequence[Any]


HANG = Fault(status=-1)
"""Never answer."""
DROP = Fault(status=-2)
"""Close the connection instead of answering; while streaming, after the first words."""
STALL = Fault(status=-3)
"""Never answer; while streaming, after the first words."""
WORDS = "Half of an "
MOST_PIECES = 20_000
"""What is streamed before the connection is dropped or stalls."""


@dataclass(frozen=True)
class Storm:
    """A fault that meets every request until it is over; then comes the next step."""

    fault: Fault
    until: float
    """As `time.perf_counter` tells it."""


Step = str | BaseModel | dict[str, Any] | Reply | Tool | Events | Fault | Storm


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
        replies: Every sound reply it sent, in order; a client that broke off just then may have missed one.
        refuses: Fields of a request's body that are refused with status 400.
        allows: Requests at a time; one more is refused with status 429. `None` for any number.
        realistic: Count a token for every four characters of prompt and reply, instead of what steps say.
        slots: What the server says of itself at `/props`, as llama.cpp's does; `None` for nothing.
        window: The context window that it tells there; prompts of more characters than three times that are refused.
        model_window: The window that it tells in its list of models, as vLLM does.
        refused: When requests were refused for that, as `time.perf_counter` tells it.
    """

    def __init__(self) -> None:
        self.script: dict[str, Sequence[Step]] = {}
        self.asked: list[Asked] = []
        self.replies: list[Reply] = []
        self.refuses: set[str] = set()
        self.allows: int | None = None
        self.refused: list[float] = []
        self.realistic = False
        self.slots: int | None = None
        self.window: int | None = None
        self.model_window: int | None = None
        self.open = 0
        self.peak = 0
        self.url = ""
        self.arrived = asyncio.Condition()
        self._count: dict[str, int] = defaultdict(int)

    @property
    def usage(self) -> dict[str, int]:
        """What clients were told that their requests used, summed."""
        counts = zip((0, 0, 0, 0), *(reply.counts for reply in self.replies), strict=True)
        return dict(zip(("input", "output", "reasoning", "cached"), map(sum, counts), strict=True))

    def on(self, key: str, *steps: Step) -> "ModelServer":
        """Script the replies to a role or a subquestion."""
        self.script[key] = steps
        self._count[key] = 0
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

    async def wait_until_idle(self) -> None:
        """Wait until no request is open."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: self.open == 0)

    async def handle(self, http: web.Request) -> web.StreamResponse:
        body = await http.json()
        role, key = who_asks(body)
        request = Asked(role, key, body, dict(http.headers), time.perf_counter())
        if self.allows is not None and self.open >= self.allows:
            self.refused.append(request.at)
            return web.json_response({"error": {"message": "too many at once", "code": 429}}, status=429)
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

    async def props(self, _: web.Request) -> web.Response:
        if self.slots is None and self.window is None:
            raise web.HTTPNotFound
        told = {"total_slots": self.slots, "default_generation_settings": {"n_ctx": self.window}}
        return web.json_response(told)

    async def models(self, _: web.Request) -> web.Response:
        told = [{"id": "other", "max_model_len": 1}, {"id": "scripted", "max_model_len": self.model_window}]
        return web.json_response({"object": "list", "data": told})

    async def _answer(self, http: web.Request, request: Asked) -> web.StreamResponse:
        if refused := self.refuses & set(request.body):
            return web.json_response({"error": {"message": f"unknown field {min(refused)}", "code": 400}}, status=400)
        if self.window and len(request.prompt) > 3 * self.window:
            said = (
                f"request ({len(request.prompt) // 3} tokens) exceeds the available context size ({self.window} tokens)"
            )
            return web.json_response({"error": {"message": said, "type": "exceed_context_size_error"}}, status=400)
        step = self._next_step(request)
        streamed = bool(request.body.get("stream"))
        if streamed and step in (DROP, STALL):
            await self._stream(http, Reply(text=WORDS), step)
        if step in (HANG, STALL):
            await asyncio.Event().wait()
        if step == DROP:
            assert http.transport is not None
            http.transport.abort()
            raise ConnectionResetError
        if isinstance(step, Fault | Events):
            return await self._send_as_it_is(http, step)
        reply = self._reply(request, step)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if streamed:
            return await self._stream(http, reply, step)
        self.replies.append(reply)
        return web.json_response(completion(reply, step))

    def _reply(self, request: Asked, step: Any) -> Reply:
        reply = as_reply(step)
        if not self.realistic:
            return reply
        written = max(1, len(reply.text) // 4)
        return replace(reply, prompt_tokens=len(request.prompt) // 4, completion_tokens=written)

    async def _stream(self, http: web.Request, reply: Reply, step: Step) -> web.StreamResponse:
        """Send a reply in pieces, as server-sent events; the end is missing when the step is a fault."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        shared = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}

        async def send(payload: dict[str, Any]) -> None:
            await response.write(f"data: {json.dumps(shared | payload)}\n\n".encode())

        for delta in deltas(reply, step):
            await send({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        if isinstance(step, Fault):
            return response
        if reply.finish_reason:
            await send({"choices": [{"index": 0, "delta": {}, "finish_reason": reply.finish_reason}]})
        if (await http.json()).get("stream_options", {}).get("include_usage"):
            self.replies.append(reply)
            await send({"choices": [], "usage": usage(reply)})
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _send_as_it_is(self, http: web.Request, step: Fault | Events) -> web.StreamResponse:
        if isinstance(step, Fault):
            text = step.body
            if text is None:
                text = json.dumps({"error": {"message": f"scripted {step.status}", "code": step.status}})
            return web.Response(
                status=step.status, text=text, headers=dict(step.headers), content_type=step.content_type
            )
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        for item in step.data:
            await response.write(f"data: {item if isinstance(item, str) else json.dumps(item)}\n\n".encode())
        return response

    def _next_step(self, request: Asked) -> Step:
        steps = self.script.get(request.key) or self.script.get(request.role)
        if not steps:
            return default_step(request)
        step = steps[min(self._count[request.key], len(steps) - 1)]
        if isinstance(step, Storm) and time.perf_counter() < step.until:
            return step.fault
        self._count[request.key] += 1
        return self._next_step(request) if isinstance(step, Storm) else step


def who_asks(body: dict[str, Any]) -> tuple[str, str]:
    """Tell the role and the key of a request from what it asks for."""
    wanted = body.get("response_format", {}).get("json_schema", {}).get("name")
    if not wanted and body.get("tools"):
        wanted = body["tools"][0]["function"]["name"]
    system = str(body["messages"][0]["content"])
    if system.startswith("A helper was given one subquestion"):
        return "refine", "refine"
    if system.endswith("Add nothing of your own."):
        return "join", "join"
    if not wanted:
        # The lower rungs ask in words.
        names = {"Find the parts": "Outline", "Split a request": "Plan", "Helpers worked": "Review"}
        wanted = next((shape for start, shape in names.items() if system.startswith(start)), None)
    if wanted:
        return SHAPES[wanted], SHAPES[wanted]
    last = str(body["messages"][-1]["content"])
    found = re.search(r"^Subquestion:\n(.*)\Z", last, re.DOTALL | re.MULTILINE)
    return ("solve", found.group(1)) if found else ("direct", "direct")


def default_step(request: Asked) -> Step:
    """Answer sensibly where nothing was scripted."""
    if request.role == "assess":
        return outline()
    if request.role == "refine":
        return plan()
    if request.role == "review":
        return review("All of it.")
    return f"Thinking.\nResult: answer to {request.key}"


def as_reply(step: Step) -> Reply:
    """Write a step as a reply: an object as JSON."""
    if isinstance(step, Reply):
        return step
    if isinstance(step, Tool):
        return Reply(finish_reason=step.finish_reason)
    if isinstance(step, BaseModel):
        return Reply(step.model_dump_json())
    return Reply(json.dumps(step) if isinstance(step, dict) else str(step))


def tool_call(step: Tool) -> dict[str, Any]:
    """Write a tool call as the protocol has it."""
    arguments = step.arguments if isinstance(step.arguments, str) else json.dumps(step.arguments)
    return {"id": "1", "type": "function", "index": 0, "function": {"name": "any", "arguments": arguments}}


def completion(reply: Reply, step: Step) -> dict[str, Any]:
    """Write a whole reply as the protocol has it."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.refusal:
        message["refusal"] = reply.refusal
    if isinstance(step, Tool):
        message |= {"content": None, "tool_calls": [tool_call(step)]}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason or None}],
        "usage": usage(reply),
    }


def deltas(reply: Reply, step: Step) -> Iterator[dict[str, Any]]:
    """Cut a reply into the pieces in which it is streamed."""
    if reply.reasoning:
        yield from ({"role": "assistant", "reasoning_content": word} for word in pieces(reply.reasoning))
    if reply.refusal:
        yield from ({"role": "assistant", "refusal": word} for word in pieces(reply.refusal))
    if isinstance(step, Tool):
        call = tool_call(step)
        first, *more = pieces(call["function"]["arguments"])
        yield {"role": "assistant", "tool_calls": [call | {"function": {"name": "any", "arguments": first}}]}
        yield from ({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in more)
    else:
        yield from ({"role": "assistant", "content": word} for word in pieces(reply.text))


def pieces(text: str) -> list[str]:
    """Cut a text into its words, spaces kept; where they are very many, into runs of words."""
    words = re.findall(r"\S+\s*|\s+", text) or [""]
    together = 1 + len(words) // MOST_PIECES
    return ["".join(words[at : at + together]) for at in range(0, len(words), together)]


def usage(reply: Reply) -> dict[str, Any]:
    """Count tokens as servers do."""
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
    }


@asynccontextmanager
async def serving(app: web.Application, **options: Any) -> AsyncIterator[str]:
    """Run an application on a free port of the loopback interface; yields its address."""
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, **options)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def model_server() -> AsyncIterator[ModelServer]:
    """Run a scripted server on a free port of the loopback interface."""
    server = ModelServer()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/chat/completions", server.handle)
    app.router.add_get("/props", server.props)
    app.router.add_get("/v1/models", server.models)
    async with serving(app) as address:
        server.url = f"{address}/v1"
        yield server


def outline(*parts: str, answer: str = "text") -> dict[str, Any]:
    """An outline with these lines."""
    return {"parts": list(parts), "answer": answer}


def plan(*parts: str) -> dict[str, Any]:
    """A plan with these lines."""
    return {"parts": list(parts)}


def review(
    answer: str = "", *redo: str, conflicts: Sequence[tuple[Sequence[str], Sequence[str]]] = ()
) -> dict[str, Any]:
    """A review: the answer, lines such as `T2: wrong sum`, and conflicts as pairs of ids and quotations."""
    told = [{"threads": list(threads), "quotes": list(quotes)} for threads, quotes in conflicts]
    return {"redo": list(redo), "conflicts": told, "answer": answer}

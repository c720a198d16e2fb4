"""The scripted server, on a free port of the loopback interface."""

import asyncio
import json
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiohttp import web

from tests.support.server.asked import Asked, default_step, who_asks
from tests.support.server.dialects import Dialect, count_as_openai
from tests.support.server.steps import DROP, HANG, STALL, WORDS, Events, Fault, Reply, Step, Storm
from tests.support.server.texts import TextServer
from tests.support.server.wire import as_reply, completion, deltas

MAX_WAIT_S = 90
"""Seconds that a test waits for a request."""


class ModelServer:
    """The scripted server.

    Attributes:
        script: Steps by key; the last step of a key repeats for ever.
        asked: Every request, in order of arrival.
        replies: Every sound reply it sent, in order; a client that broke off just then may have missed one.
        refuses: Fields of a request's body that are refused with status 400.
        allows: Requests at a time; one more is refused with status 429. `None` for any number.
        realistic: Count a token for every four characters of prompt and reply, instead of what steps say.
        caches: Whether it keeps what it has read of prompts, as providers do, and tells how much of a prompt it knew.
        slots: What the server says of itself at `/props`, as llama.cpp's does; `None` for nothing.
        refuses_key: Whether it lists its models to nobody.
        window: The context window that it tells there; prompts of more characters than three times that are refused.
        model_window: The window that it tells in its list of models, as vLLM does.
        dialect: How it writes what a reasoning model says, and what it refuses; `None` for as OpenAI does.
        refused: When requests were refused for that, as `time.perf_counter` tells it.
        texts: What continues texts, where no chat is asked for.
    """

    def __init__(self) -> None:
        self.script: dict[str, Sequence[Step]] = {}
        self.asked: list[Asked] = []
        self.replies: list[Reply] = []
        self.refuses: set[str] = set()
        self.allows: int | None = None
        self.refused: list[float] = []
        self.texts = TextServer()
        self.realistic = self.caches = False
        self._read: list[str] = []
        self.refuses_key = False
        self.slots: int | None = None
        self.window: int | None = None
        self.model_window: int | None = None
        self.dialect: Dialect | None = None
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
        """Wait until so many requests of a role have arrived; what never comes fails the test, and soon."""
        async with asyncio.timeout(MAX_WAIT_S), self.arrived:
            await self.arrived.wait_for(lambda: len(self.calls(role)) >= count)

    async def wait_until_idle(self) -> None:
        """Wait until no request is open."""
        async with asyncio.timeout(MAX_WAIT_S), self.arrived:
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

    async def models(self, http: web.Request) -> web.Response:
        if self.refuses_key:
            said = f"Incorrect API key: {http.headers.get('Authorization')}"
            return web.json_response({"error": {"message": said}}, status=401)
        told = [{"id": "other", "max_model_len": 1}, {"id": "scripted", "max_model_len": self.model_window}]
        return web.json_response({"object": "list", "data": told})

    async def _answer(self, http: web.Request, request: Asked) -> web.StreamResponse:
        if refused := self._refuse(request):
            return refused
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
        if reply.held:
            await reply.held.wait()
        if reply.delay:
            await asyncio.sleep(reply.delay)
        request.begun = time.perf_counter()
        self._read.append(request.prompt)
        if streamed:
            return await self._stream(http, reply, step)
        self.replies.append(reply)
        return web.json_response(completion(reply, step, self.dialect))

    def _refuse(self, request: Asked) -> web.Response | None:
        """Refuse what it does not take."""
        if refused := self.refuses & set(request.body):
            return web.json_response({"error": {"message": f"unknown field {min(refused)}", "code": 400}}, status=400)
        if self.dialect and (wrong := self.dialect.refuse(request.body)):
            return web.json_response(wrong, status=400)
        if self.window and len(request.prompt) > 3 * self.window:
            said = (
                f"request ({len(request.prompt) // 3} tokens) exceeds the available context size ({self.window} tokens)"
            )
            return web.json_response({"error": {"message": said, "type": "exceed_context_size_error"}}, status=400)
        return None

    def _reply(self, request: Asked, step: Any) -> Reply:
        reply = as_reply(step)
        if not (self.realistic or self.caches):
            return reply
        return replace(
            reply,
            prompt_tokens=len(request.prompt) // 4,
            completion_tokens=max(1, len(reply.text) // 4),
            cached_tokens=self._known_tokens(request.prompt) if self.caches else reply.cached_tokens,
        )

    def _known_tokens(self, prompt: str) -> int:
        """Count what it has read of a prompt, as OpenAI does: 1,024 tokens and more, in steps of 128."""
        known = max((len(os.path.commonprefix([prompt, read])) // 4 for read in self._read), default=0)
        return known // 128 * 128 if known >= 1_024 else 0

    async def _stream(self, http: web.Request, reply: Reply, step: Step) -> web.StreamResponse:
        """Send a reply in pieces, as server-sent events; the end is missing when the step is a fault."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        shared = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}

        async def send(payload: dict[str, Any]) -> None:
            comment = self.dialect.comment if self.dialect else ""
            await response.write(f"{comment}data: {json.dumps(shared | payload)}\n\n".encode())

        for delta in deltas(reply, step, self.dialect):
            await send({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            if reply.pace:
                await asyncio.sleep(reply.pace)
        if isinstance(step, Fault):
            return response
        if reply.finish_reason:
            await send({"choices": [{"index": 0, "delta": {}, "finish_reason": reply.finish_reason}]})
        if (await http.json()).get("stream_options", {}).get("include_usage"):
            self.replies.append(reply)
            await send({"choices": [], "usage": (self.dialect.count if self.dialect else count_as_openai)(reply)})
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
    app.router.add_post("/v1/completions", server.texts.handle)
    app.router.add_post("/apply-template", server.texts.apply)
    app.router.add_post("/tokenize", server.texts.tokenize)
    app.router.add_post("/detokenize", server.texts.detokenize)
    app.router.add_get("/props", server.props)
    app.router.add_get("/v1/models", server.models)
    async with serving(app) as address:
        server.url = f"{address}/v1"
        yield server

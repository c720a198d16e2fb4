"""The routes of OpenAI's API: `/v1/models`, `/v1/chat/completions` and `/v1/responses`."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from graphs.server.refused import V1, error_of
from graphs.server.v1.asked import MODELS, Asked, Refused, read_chat, read_response
from graphs.server.v1.completions import Completion
from graphs.server.v1.responses import Response
from graphs.server.v1.run import Event, Progress, Text, follow, running
from nodes.llm.replies.errors import ConfigurationError
from nodes.shared.masking import trace_of
from nodes.state import Solution

MAX_CHAT_BODY_BYTES = 50_000_000
"""Bytes of a request; the longest input that is allowed, in base64 and with its names, is less."""
ONCE = {"x-should-retry": "false"}
"""Asks clients not to send a request again whose run was paid for."""
GONE = 499
"""The status of a request whose client went away, which nobody reads."""
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_log = logging.getLogger(__name__)

Writer = Completion | Response


class _Ended(Exception):
    """A run ended without an answer."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.status = status


class _Stream(StreamingResponse):
    """Server-sent events, whose source is closed whenever the response ends, however far it came."""

    def __init__(self, first: str, rest: AsyncGenerator[str, None]) -> None:
        async def pieces() -> AsyncIterator[str]:
            yield first
            async for piece in rest:
                yield piece

        super().__init__(pieces(), media_type="text/event-stream", headers=_HEADERS)
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._rest.aclose()


async def list_models(_: Request) -> HttpResponse:
    """List what answers."""
    return JSONResponse({"object": "list", "data": [_model(name) for name in MODELS]})


async def show_model(request: Request) -> HttpResponse:
    """Tell of one model."""
    name = request.path_params["name"]
    if name not in MODELS:
        return _error(Refused(f"there is no model `{name}`", status=404, param="model", code="model_not_found"))
    return JSONResponse(_model(name))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "apr"}


async def complete_chat(request: Request) -> HttpResponse:
    """Answer a chat completion."""
    return await _answer(request, read_chat, Completion)


async def respond(request: Request) -> HttpResponse:
    """Answer a response."""
    return await _answer(request, read_response, Response)


async def _answer(request: Request, read: Callable[[Any], Asked], writer: Callable[[Asked], Writer]) -> HttpResponse:
    try:
        asked = await asyncio.to_thread(read, await _body(request))
    except Refused as error:
        return _error(error)
    if not asked.stream:
        return await _unless_gone(request, _whole(asked, writer(asked)))
    events = _stream(asked, writer(asked))
    try:
        # What cannot even begin is refused with a status of its own.
        first = await anext(events)
    except _Ended as error:
        return JSONResponse(error_of(str(error), error.status), error.status, ONCE)
    return _Stream(first, events)


async def _body(request: Request) -> Any:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MAX_CHAT_BODY_BYTES:
            raise Refused(f"the body has more than {MAX_CHAT_BODY_BYTES:,} bytes", status=413)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise Refused("the body is no JSON") from None


async def _unless_gone(request: Request, work: Any) -> HttpResponse:
    """Do some work unless the client goes away, which ends it."""

    async def leave() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task, gone = asyncio.ensure_future(work), asyncio.create_task(leave())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else HttpResponse(status_code=GONE)
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _whole(asked: Asked, writer: Writer) -> HttpResponse:
    text, progress = "", ""
    try:
        async with aclosing(_events(asked)) as events:
            async for event in events:
                if isinstance(event, Progress):
                    progress += f"{event.text}\n"
                elif isinstance(event, Text):
                    text += event.text
                else:
                    return JSONResponse(writer.whole(event, text, progress), headers=_HEADERS)
    except _Ended as error:
        return JSONResponse(error_of(str(error), error.status), error.status, ONCE)
    raise AssertionError("a run ends with its solution")


async def _events(asked: Asked) -> AsyncGenerator[Event, None]:
    """Yield a run's events.

    Raises:
        _Ended: It has no answer.
    """
    async with running(follow(asked)) as queue:
        while (event := await queue.get()) is not None:
            if isinstance(event, ConfigurationError):
                raise _Ended(str(event), 500)
            if isinstance(event, BaseException):
                _log.error("a run broke:\n%s", trace_of(event))
                raise _Ended("the run broke; the server's log tells why", 500)
            if isinstance(event, Solution) and event.outcome == "failed":
                raise _Ended(f"no answer: {event.stop_reason}", 500)
            yield event


async def _stream(asked: Asked, writer: Writer) -> AsyncGenerator[str, None]:
    named = isinstance(writer, Response)
    begun = False
    try:
        async with aclosing(_events(asked)) as events:
            async for event in events:
                written = [*([] if begun else writer.begin()), *writer.take(event)]
                begun = True
                for fields in written:
                    yield _encode(fields, named)
    except _Ended as error:
        if not begun:
            raise
        yield _encode(writer.fail(str(error)) if isinstance(writer, Response) else error_of(str(error), 500), named)
    if not named:
        yield "data: [DONE]\n\n"


def _encode(fields: dict[str, Any], named: bool) -> str:
    name = f"event: {fields['type']}\n" if named else ""
    return f"{name}data: {json.dumps(fields, ensure_ascii=False)}\n\n"


def _error(error: Refused) -> HttpResponse:
    body = error_of(str(error), error.status, param=error.param, code=error.code)
    return JSONResponse(body, error.status)


ROUTES = [
    Route(f"{V1}/models", list_models),
    Route(f"{V1}/models/{{name}}", show_model),
    Route(f"{V1}/chat/completions", complete_chat, methods=["POST"]),
    Route(f"{V1}/responses", respond, methods=["POST"]),
]

"""LangChain's chat models, which send; what comes back is read by `nodes.llm.replies.wire`."""

import asyncio
import importlib
import json
import types
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx2
import openai
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from openai import AsyncStream
from pydantic import SecretStr

from nodes.llm.replies.errors import CallFailed, ErrorInside, NotChat, Unended, without_key
from nodes.llm.replies.overhear import listen
from nodes.llm.replies.wire import ASKS, COST, MATCHED, TOOLS, Heard

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI as _Base
else:
    _Base = object

_OPTIONS = {"timeout": "timeout", "extra_headers": "headers", "extra_query": "params"}
"""What is not part of a request's body, and what the SDK calls it."""
CONTINUE = "apr_continue"
"""In a request's body: its one message is no message but a text, to be continued as it stands (`/completions`)."""
_DONE = "[DONE]"
"""The last event of a stream."""
SILENCE_AFTER_END_S = 5.0
"""Seconds for what may still come behind the finish reason, such as the usage; some servers never end a stream."""


class _Stream(AsyncStream[object]):
    """A stream that knows whether its server ended it.

    Attributes:
        ended: Whether the server said that nothing more comes.
    """

    ended = False

    async def _iter_events(self) -> AsyncIterator[Any]:
        async for event in super()._iter_events():
            self.ended = self.ended or event.data.startswith(_DONE)
            yield event


class Careful(_Base):
    """What is changed: replies of every dialect are understood, none is lost, and nothing tells the key."""

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        heard = listen(self._key.get_secret_value())
        with self._silent_about_key():
            if "response_format" in kwargs:  # LangChain's own structured output
                return await super()._agenerate(messages, stop, run_manager, **kwargs)
            body, options = self._request(messages, stop, kwargs)
            response = await self.root_async_client.post(
                _path(body), cast_to=httpx2.Response, body=body, options=options
            )
            ended = _take_all(heard, response, self._key)
            _check(heard, response)
            if not (ended or heard.finished):
                raise Unended
        info = end_of(heard)
        return ChatResult(
            generations=[ChatGeneration(message=message_of(heard), generation_info=info)], llm_output=info
        )

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        *,
        stream_usage: bool | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        heard = listen(self._key.get_secret_value())
        with self._silent_about_key():
            async for new in self._pieces(heard, messages, stop, kwargs):
                if run_manager:
                    await run_manager.on_llm_new_token(new.text, chunk=new)
                yield new

    async def _pieces(
        self, heard: Heard, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> AsyncIterator[ChatGenerationChunk]:
        usage = {"stream": True, "stream_options": {"include_usage": True}}
        body, options = self._request(messages, stop, kwargs | usage)
        async with await self._open(body, options) as stream:
            async for data in _until_silent(_events(stream, heard, self._key), heard):
                new = heard.take(data)
                if heard.error:
                    break
                if new.text or new.reasoning:
                    thought = {"reasoning_content": new.reasoning} if new.reasoning else {}
                    yield ChatGenerationChunk(message=AIMessageChunk(content=new.text, additional_kwargs=thought))
            _check(heard, stream.response)
            if not (stream.ended or heard.finished):
                raise Unended
        yield _last_chunk(heard)

    async def _open(self, body: dict[str, Any], options: Any) -> _Stream:
        async def post(body: dict[str, Any]) -> _Stream:
            stream: _Stream = await self.root_async_client.post(
                _path(body),
                cast_to=object,
                body=body,
                options=options,
                stream=True,
                stream_cls=_Stream,
            )
            return stream

        try:
            return await post(body)
        except openai.APIStatusError as error:
            if "stream" not in error.message:
                raise
            # A server that knows no such field still streams; it only does not count. Another one answers whole.
            refused = {"stream_options"} if "stream_options" in error.message else {"stream_options", "stream"}
        return await post({name: value for name, value in body.items() if name not in refused})

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], Any]:
        """Return a request's body and its options.

        The body is sent as it is: the SDK's own methods walk every message by its declared types at each call, which
        was a third of a run's processor time.
        """
        body = self._get_request_payload(messages, stop=stop, **kwargs)
        options = {theirs: body.pop(ours) for ours, theirs in _OPTIONS.items() if ours in body}
        body |= body.pop("extra_body", None) or {}
        if body.pop(CONTINUE, False):
            body["prompt"] = body.pop("messages")[0]["content"]
        return body, options

    @contextmanager
    def _silent_about_key(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise CallFailed(error, self._key) from None

    @property
    def _key(self) -> SecretStr:
        # Both classes keep it under a name of their own.
        key = getattr(self, "api_key", None) or self.openai_api_key
        return key if isinstance(key, SecretStr) else SecretStr("")


def _path(body: dict[str, Any]) -> str:
    return "/completions" if "prompt" in body else "/chat/completions"


def _take_all(heard: Heard, response: httpx2.Response, key: SecretStr) -> bool:
    """Take in a body, be it one object or a stream that nobody asked for; returns whether its server ended it."""
    if _kind(response) != "text/event-stream":
        heard.take(_json(response, key))
        return True
    events = [line[5:].strip() for line in response.text.split("\n") if line.startswith("data:")]
    for event in events:
        if event.startswith(_DONE):
            return True
        try:
            heard.take(json.loads(event))
        except (ValueError, RecursionError) as error:
            if not heard.finished:
                raise NotChat(f"an event that is no JSON ({error})") from error
    return False


def _kind(response: httpx2.Response) -> str:
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower()


def _json(response: httpx2.Response, key: SecretStr) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise NotChat(f"no JSON but {without_key(response.text, key)[:100]!r}") from error


async def _events(stream: _Stream, heard: Heard, key: SecretStr) -> AsyncIterator[object]:
    """Yield the objects of a stream; of a server that does not stream, its one reply."""
    if _kind(stream.response).endswith(("json", "html")):
        await stream.response.aread()
        stream.ended = True
        yield _json(stream.response, key)
        return
    try:
        async for data in stream:
            yield data
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        if not heard.finished:  # what comes after the end is no part of the reply
            raise NotChat(f"an event that is no JSON ({error})") from error
    except openai.APIConnectionError:
        if not heard.finished:
            raise


async def _until_silent(events: AsyncIterator[object], heard: Heard) -> AsyncIterator[object]:
    """Yield events until they end, or nothing comes any more once the reply is finished."""
    with suppress(StopAsyncIteration):
        while not heard.finished:
            yield await anext(events)
    with suppress(StopAsyncIteration, TimeoutError):
        while True:
            async with asyncio.timeout(SILENCE_AFTER_END_S):
                event = await anext(events)
            yield event


def _check(heard: Heard, response: httpx2.Response) -> None:
    """Make sure that what came is a chat server's reply.

    Raises:
        ErrorInside: It is an error.
        NotChat: It is something else.
    """
    if heard.error:
        raise ErrorInside(heard.error)
    if not heard.is_chat:
        kind = response.headers.get("content-type", "nothing said of its type")
        raise NotChat(f"no message in the reply ({kind})")


def end_of(heard: Heard) -> dict[str, Any]:
    """Say how a reply ended, and whose it is."""
    told: dict[str, Any] = {"finish_reason": heard.finish_reason, "model_name": heard.model}
    told |= {} if heard.cost is None else {COST: heard.cost}
    return told | ({MATCHED: heard.matched} if heard.matched else {})


def _extras(heard: Heard) -> dict[str, Any]:
    told = {"refusal": heard.refusal, TOOLS: heard.tools, ASKS: heard.asks}
    return {name: value for name, value in told.items() if value}


def message_of(heard: Heard) -> AIMessage:
    """Make a message of a whole reply."""
    sound, unsound = [], []
    for number, arguments in enumerate(heard.tools):
        try:
            read = json.loads(arguments, strict=False)
        except (ValueError, RecursionError):
            read = None
        if isinstance(read, dict):
            sound.append(tool_call(name="", args=read, id=str(number)))
        else:
            unsound.append(invalid_tool_call(args=arguments, id=str(number), error="no JSON object"))
    thought = {"reasoning_content": heard.reasoning} if heard.reasoning else {}
    return AIMessage(
        content=heard.text,
        additional_kwargs={**thought, **_extras(heard)},
        tool_calls=sound,
        invalid_tool_calls=unsound,
        usage_metadata=heard.usage,
        response_metadata={"model_provider": "openai"},
    )


def _last_chunk(heard: Heard) -> ChatGenerationChunk:
    """Return what is known at the end of a stream only."""
    called = [
        tool_call_chunk(name="", args=arguments, id=str(number), index=number)
        for number, arguments in enumerate(heard.tools)
    ]
    thought = {"reasoning_content": heard.rest.reasoning} if heard.rest.reasoning else {}
    message = AIMessageChunk(
        content=heard.rest.text,
        additional_kwargs={**thought, **_extras(heard)},
        tool_call_chunks=called,
        usage_metadata=heard.usage,
        response_metadata={"model_provider": "openai"},
    )
    return ChatGenerationChunk(message=message, generation_info=end_of(heard))


class CarefulOpenAI(Careful, ChatOpenAI):
    """`ChatOpenAI`, mended."""


def deep_seek() -> type[ChatOpenAI]:
    """Return `ChatDeepSeek`, mended. Imported here, since it is an extra."""
    bases = (Careful, importlib.import_module("langchain_deepseek").ChatDeepSeek)
    model: type[ChatOpenAI] = types.new_class("CarefulDeepSeek", bases)
    return model

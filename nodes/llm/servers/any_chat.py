"""Any chat model of LangChain's, asked through LangChain's own interface.

What it says is put as a chat completions server would say it, so that all that reads replies reads these, too.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import SecretStr

from nodes.llm.endpoints.endpoint import Rung
from nodes.llm.replies.errors import CallFailed, ModelError
from nodes.llm.replies.finish import reason_in
from nodes.llm.replies.overhear import listen
from nodes.llm.replies.wire import Heard
from nodes.llm.servers.chat import CONTINUE, end_of, message_of

_WAYS = ("response_format", "tools", "tool_choice")
"""Fields of a request that say how an object is asked for; the others are sampling, which a model is made with."""

_TAKE_SCHEMAS = ("chat-ollama", "chat-google-generative-ai")
"""LangChain's names of the chat models that take a JSON schema even where nothing is known of a model."""

Make = Callable[[Mapping[str, Any]], BaseChatModel]
"""Makes the model anew, with sampling."""


class AnyChat:
    """A chat model of LangChain's.

    Attributes:
        chat: The model as it is without sampling of ours.
        takes: Settings of sampling that it can be made with.
        top: The surest way to ask it for an object.
    """

    def __init__(
        self, chat: BaseChatModel, key: SecretStr, *, make: Make | None = None, takes: frozenset[str] = frozenset()
    ) -> None:
        """Take a model; without `make` its sampling is its own."""
        self.chat, self.takes = chat, takes
        self._key, self._make = key, make
        self._made: dict[str, BaseChatModel] = {}

    @property
    def profile(self) -> Mapping[str, Any] | None:
        """What LangChain knows of the model, if anything."""
        return cast(Mapping[str, Any] | None, self.chat.profile)

    @property
    def top(self) -> Rung:
        """The surest way to ask it for an object: LangChain's strategies of the provider, of tools, else in words."""
        if (self.profile or {}).get("structured_output", self.chat._llm_type in _TAKE_SCHEMAS):
            return "json_schema"
        return "json" if type(self.chat).bind_tools is BaseChatModel.bind_tools else "tool"

    async def ainvoke(
        self,
        messages: Sequence[BaseMessage],
        config: RunnableConfig | None = None,
        *,
        stream: bool = False,
        extra_body: Mapping[str, Any] | None = None,
        **sampling: Any,
    ) -> AIMessage:
        """Return the reply.

        Args:
            messages: The conversation.
            config: How LangChain is to trace the call.
            stream: Whether the reply is to be heard while it is written.
            extra_body: Fields of a chat completions request.
            sampling: More of them; a `timeout` is not passed on, since whoever asks breaks the call off.

        Raises:
            CallFailed: The model raised something.
        """
        fields = {**sampling, **(extra_body or {})}
        fields.pop("timeout", None)
        if CONTINUE in fields:
            raise ModelError("bad_request", "texts are continued by servers that speak as OpenAI's, and by no others")
        ways = {name: fields.pop(name) for name in _WAYS if name in fields}
        heard = listen(self._key.get_secret_value())
        try:
            asked = _ask_for(await self._with(fields), ways)
            if stream:
                await _hear_stream(asked, messages, config, heard)
            else:
                message = await asked.ainvoke(list(messages), config)
                heard.take(_as_said(message, message.usage_metadata, whole=True))
        except Exception as error:
            raise CallFailed(error, self._key) from None
        if not heard.finish_reason:
            # LangChain's interface need not tell: a model that ends without an error has said all.
            heard.take({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        reply = message_of(heard)
        reply.response_metadata.update(end_of(heard))
        return reply

    async def _with(self, sampling: Mapping[str, Any]) -> BaseChatModel:
        if not sampling or self._make is None:
            return self.chat
        name = json.dumps(sampling, sort_keys=True)
        if name not in self._made:
            # In a thread: making a model reads certificates from disk.
            self._made[name] = await asyncio.to_thread(self._make, sampling)
        return self._made[name]


def _ask_for(model: BaseChatModel, ways: Mapping[str, Any]) -> Runnable[Any, AIMessage]:
    """Have a model reply in a way; JSON mode is no part of LangChain's interface, so there the words must do."""
    if "tools" in ways:
        choice = ways.get("tool_choice")
        # Other choices are not the same with all of LangChain's packages.
        forced = {"tool_choice": choice["function"]["name"]} if isinstance(choice, Mapping) else {}
        return model.bind_tools(ways["tools"], **forced)
    wanted = ways.get("response_format", {})
    return model.bind(response_format=wanted) if wanted.get("type") == "json_schema" else model


async def _hear_stream(
    asked: Runnable[Any, AIMessage], messages: Sequence[BaseMessage], config: RunnableConfig | None, heard: Heard
) -> None:
    usage: UsageMetadata | None = None
    async with aclosing(cast(Any, asked.astream(list(messages), config))) as pieces:
        async for piece in pieces:
            usage = add_usage(usage, piece.usage_metadata) if piece.usage_metadata else usage
            heard.take(_as_said(piece, usage, whole=False))


def _as_said(message: AIMessage, usage: UsageMetadata | None, *, whole: bool) -> dict[str, Any]:
    """Put a message, or a piece of one, as a chat completions server would."""
    said: dict[str, Any] = {"content": str(message.text), "reasoning_content": _thoughts(message)}
    if refusal := message.additional_kwargs.get("refusal"):
        said["refusal"] = refusal
    called: list[tuple[int | None, Any, str]]
    if isinstance(message, AIMessageChunk) and not whole:
        called = [(call["index"], call, call["args"] or "") for call in message.tool_call_chunks]
    else:
        called = [(None, call, json.dumps(call["args"], ensure_ascii=False)) for call in message.tool_calls]
        called += [(None, call, call["args"] or "") for call in message.invalid_tool_calls]
    if called:
        said["tool_calls"] = [
            {"index": index, "id": call["id"], "function": {"name": call["name"], "arguments": arguments}}
            for index, call, arguments in called
        ]
    reason = reason_in(message.response_metadata)
    choice = {"message" if whole else "delta": said, "finish_reason": reason or None}
    return {"choices": [choice]} | ({"usage": _count(usage)} if usage else {})


def _thoughts(message: AIMessage) -> str:
    apart = message.additional_kwargs.get("reasoning_content")
    if isinstance(apart, str) and apart:
        return apart
    if isinstance(message.content, str):
        return ""
    return "".join(
        str(block.get("reasoning") or "") for block in message.content_blocks if block["type"] == "reasoning"
    )


def _count(usage: UsageMetadata) -> dict[str, Any]:
    read, written = usage.get("input_token_details", {}), usage.get("output_token_details", {})
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "prompt_tokens_details": {"cached_tokens": read.get("cache_read") or 0},
        "completion_tokens_details": {"reasoning_tokens": written.get("reasoning") or 0},
    }

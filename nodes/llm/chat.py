"""LangChain's chat models, with what they lose put back."""

import importlib
import types
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from nodes.llm.errors import CallFailed

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI as _Base
else:
    _Base = object

TOOL_ARGUMENTS = "apr_tool_arguments"
"""In a streamed message's `additional_kwargs`: the first tool call's arguments as they were sent."""


class Careful(_Base):
    """What is put back: streamed refusals, streamed tool arguments as sent, silence about the key, and speed."""

    def _get_request_payload(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(*args, **kwargs)
        # As an extra field, sent as it is: else the SDK walks every message by its declared types at each call,
        # which was a third of a run's processor time.
        payload["extra_body"] = {**(payload.get("extra_body") or {}), "messages": payload["messages"]}
        return payload | {"messages": []}

    def _convert_chunk_to_generation_chunk(self, chunk: dict[str, Any], *more: Any) -> ChatGenerationChunk | None:
        generation = super()._convert_chunk_to_generation_chunk(chunk, *more)
        choices = chunk.get("choices")
        delta = choices[0].get("delta") or {} if choices else {}
        if generation is not None:
            kept = generation.message.additional_kwargs
            if delta.get("refusal"):
                kept["refusal"] = delta["refusal"]
            # LangChain itself closes what was cut off, and so makes half a plan look whole.
            for call in delta.get("tool_calls") or ():
                if not call.get("index"):
                    said = (call.get("function") or {}).get("arguments") or ""
                    kept[TOOL_ARGUMENTS] = kept.get(TOOL_ARGUMENTS, "") + said
        return generation

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        with self._silent_about_key():
            return await super()._agenerate(*args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        with self._silent_about_key():
            async for chunk in super()._astream(*args, **kwargs):
                yield chunk

    @contextmanager
    def _silent_about_key(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # Both classes keep it under a name of their own.
            key = getattr(self, "api_key", None) or self.openai_api_key
            raise CallFailed(error, key if isinstance(key, SecretStr) else SecretStr("")) from None


class CarefulOpenAI(Careful, ChatOpenAI):
    """`ChatOpenAI`, mended."""


def deep_seek() -> type[ChatOpenAI]:
    """Return `ChatDeepSeek`, mended; it keeps reasoning apart. Imported here, since it is an extra."""
    bases = (Careful, importlib.import_module("langchain_deepseek").ChatDeepSeek)
    model: type[ChatOpenAI] = types.new_class("CarefulDeepSeek", bases)
    return model

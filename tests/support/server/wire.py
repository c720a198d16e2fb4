"""Replies as the chat completions protocol has them, whole and in pieces."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from tests.support.server.dialects import Dialect, count_as_openai
from tests.support.server.steps import Reply, Step, Tool

MOST_PIECES = 20_000


def as_reply(step: Step) -> Reply:
    """Write a step as a reply: an object as JSON."""
    if isinstance(step, Reply):
        return step
    if isinstance(step, Tool):
        return Reply(finish_reason=step.finish_reason, reasoning=step.reasoning)
    if isinstance(step, BaseModel):
        return Reply(step.model_dump_json())
    return Reply(json.dumps(step) if isinstance(step, dict) else str(step))


def tool_calls(step: Tool) -> list[dict[str, Any]]:
    """Write the tool calls of a reply as the protocol has them."""
    return [_tool_call(one, number) for number, one in enumerate((step, *step.beside))]


def _tool_call(step: Tool, number: int) -> dict[str, Any]:
    arguments = step.arguments if isinstance(step.arguments, str) else json.dumps(step.arguments)
    called = {"name": step.name, "arguments": arguments}
    return {"id": step.id, "type": "function", "index": number, "function": called}


def completion(reply: Reply, step: Step, dialect: Dialect | None = None) -> dict[str, Any]:
    """Write a whole reply as the protocol has it."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if dialect:
        message |= dialect.message(reply)
    elif reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.refusal:
        message["refusal"] = reply.refusal
    if isinstance(step, Tool):
        message |= {"content": None, "tool_calls": tool_calls(step)}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason or None}],
        "usage": (dialect.count if dialect else count_as_openai)(reply),
    }


def deltas(reply: Reply, step: Step, dialect: Dialect | None = None) -> Iterator[dict[str, Any]]:
    """Cut a reply into the pieces in which it is streamed."""
    if dialect and not isinstance(step, Tool):
        yield from dialect.pieces(reply, pieces)
        return
    if reply.reasoning:
        yield from ({"role": "assistant", "reasoning_content": word} for word in pieces(reply.reasoning))
    if reply.refusal:
        yield from ({"role": "assistant", "refusal": word} for word in pieces(reply.refusal))
    if isinstance(step, Tool):
        for call in tool_calls(step):
            name, at = call["function"]["name"], call["index"]
            first, *more = pieces(call["function"]["arguments"])
            yield {"role": "assistant", "tool_calls": [call | {"function": {"name": name, "arguments": first}}]}
            yield from ({"tool_calls": [{"index": at, "function": {"arguments": piece}}]} for piece in more)
    else:
        yield from ({"role": "assistant", "content": word} for word in pieces(reply.text))


def pieces(text: str) -> list[str]:
    """Cut a text into its words, spaces kept; where they are very many, into runs of words."""
    words = re.findall(r"\S+\s*|\s+", text) or [""]
    together = 1 + len(words) // MOST_PIECES
    return ["".join(words[at : at + together]) for at in range(0, len(words), together)]

"""What a model answered, read out of the message that carries it (pure)."""

import json
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage

from nodes.llm.chat import TOOL_ARGUMENTS
from nodes.llm.errors import ModelError
from nodes.llm.text import split_reasoning


class Reply(NamedTuple):
    """What a model answered."""

    text: str
    """Its answer, without its reasoning."""
    reasoning: str
    finish_reason: str
    tool_args: dict[str, Any] | None
    """Arguments of the first tool call, if it made one."""
    message: AIMessage


def read_reply(message: Any) -> Reply:
    """Read a model's message, its reasoning apart from its answer.

    Raises:
        ModelError: It refused, said nothing, or was cut off before it said anything.
    """
    if not isinstance(message, AIMessage):
        raise ModelError("bad_reply", "the server's reply is not a chat message")
    extra, meta = message.additional_kwargs, message.response_metadata
    finish_reason = str(meta.get("finish_reason") or "")
    refusal = extra.get("refusal")
    if refusal or finish_reason == "content_filter":
        raise ModelError("refused", f"the model refused to answer: {refusal or 'stopped by a content filter'}")
    thought, answer = split_reasoning(message.text)
    reasoning = "\n".join(part for part in (str(extra.get("reasoning_content") or "").strip(), thought) if part)
    if not (answer or message.tool_calls or message.invalid_tool_calls):
        if finish_reason == "length":
            raise ModelError("truncated", "the reply was cut at the token limit before an answer; raise `max_tokens`")
        raise ModelError("empty", "the model's reply was empty")
    return Reply(answer, reasoning, finish_reason, _tool_args(message), message)


def _tool_args(message: AIMessage) -> dict[str, Any] | None:
    if not message.tool_calls:
        return None
    try:
        json.loads(message.additional_kwargs.get(TOOL_ARGUMENTS, "{}"), strict=False)
    except ValueError:  # cut off: its arguments are not what the model meant to say
        return None
    return message.tool_calls[0]["args"]

"""Reading a model's message as a reply (pure)."""

import json
from typing import Any

from langchain_core.messages import AIMessage

from nodes.llm.replies.errors import Kind, ModelError
from nodes.llm.replies.finish import State, reason_of, state_of
from nodes.llm.replies.reasoning import split_reasoning
from nodes.llm.replies.reply import Ask, Reply
from nodes.llm.replies.wire import ASKS, MATCHED, TOOLS

_FAULTS: dict[State, Kind] = {"refused": "refused", "filtered": "refused", "failed": "server_error", "empty": "empty"}
"""What gives no usable reply, whatever the reply holds."""


def read_reply(message: Any) -> Reply:
    """Read a model's message: its answer, its reasoning apart from that, and what the reply is.

    Raises:
        ModelError: It is no chat message.
    """
    if not isinstance(message, AIMessage):
        raise ModelError("bad_reply", "the server's reply is not a chat message")
    extra = message.additional_kwargs
    reason, refusal = reason_of(message.response_metadata.get("finish_reason")), str(extra.get("refusal") or "")
    thought, answer = split_reasoning(message.text)
    reasoning = _join(str(extra.get("reasoning_content") or ""), thought)
    tools: list[str] = extra.get(TOOLS) or []
    state: State = "refused" if refusal else state_of(reason)
    if state in ("whole", "unknown") and not (answer or tools):
        state = "empty"
    return Reply(
        text=answer,
        reasoning=reasoning,
        finish_reason=reason,
        state=state,
        shortfall=_shortfall(
            state, reason, refusal, said=bool(answer or tools), thought=bool(reasoning) or _has_thoughts(message)
        ),
        tool_args=tuple(_sound(tools)),
        called=bool(tools),
        asks=tuple(Ask(*ask) for ask in extra.get(ASKS) or ()),
    )


def read_continuation(message: Any) -> Reply:
    """Read what a model added to a text, character for character; it may be nothing, and no thought is set apart.

    Raises:
        ModelError: It is no reply of a model.
    """
    if not isinstance(message, AIMessage):
        raise ModelError("bad_reply", "the server's reply is no text")
    told = message.response_metadata
    reason = reason_of(told.get("finish_reason"))
    state = state_of(reason)
    shortfall = _shortfall(state, reason, "", said=True, thought=False)
    return Reply(message.text, finish_reason=reason, state=state, shortfall=shortfall, matched=told.get(MATCHED, ""))


def keep_continuation(text: str, reasoning: str, error: ModelError) -> Reply | None:
    """Return what had come of a continuation before a failure, where there is something to show."""
    return Reply(text, reasoning, state="failed", shortfall=str(error)) if text else None


def _join(apart: str, thought: str) -> str:
    """Join what a server kept apart and what stood between tags; llama.cpp's older format has the same in both."""
    apart = apart.strip()
    return "\n".join(part for part in (apart, "" if thought in apart else thought) if part)


def _has_thoughts(message: AIMessage) -> bool:
    """Whether a model thought, though its provider does not tell what."""
    usage = message.usage_metadata
    return bool(usage and usage.get("output_token_details", {}).get("reasoning"))


def fault_of(reply: Reply, *, as_object: bool = False) -> ModelError | None:
    """Return the failure that a reply is, if it is one; what it holds stays with it.

    Args:
        reply: The reply.
        as_object: Whether an object is asked for that may stand in the model's thoughts.
    """
    if as_object and reply.state == "empty" and reply.reasoning:
        return None
    kind = _FAULTS.get(reply.state)
    if reply.state == "cut" and not (reply.text or reply.called):
        kind = "truncated"
    return ModelError(kind, reply.shortfall, reply=reply if reply.text or reply.reasoning else None) if kind else None


def keep_broken_off(text: str, reasoning: str, error: ModelError) -> Reply | None:
    """Return what had come of a reply before a failure, where there is something to show."""
    thought, answer = split_reasoning(text)
    thoughts = _join(reasoning, thought)
    return Reply(answer, thoughts, state="failed", shortfall=str(error)) if answer or thoughts else None


def _shortfall(state: State, reason: str, refusal: str, *, said: bool, thought: bool) -> str:
    before = " while the model was still thinking" if thought else " before an answer"
    cut = "the reply was cut at the token limit" + ("" if said else before)
    words: dict[State, str] = {
        "whole": "",
        "cut": f"{cut}; raise `max_tokens`",
        "refused": f"the model refused to answer: {refusal or reason}",
        "filtered": "the model refused to answer: stopped by a content filter",
        "failed": f"the server broke off its reply (finish reason `{reason}`)",
        "empty": "the model thought, but gave no answer" if thought else "the model's reply was empty",
        "unknown": _unknown(reason),
    }
    return words[state]


def _unknown(reason: str) -> str:
    if reason:
        return f"the server does not say that its reply is whole (finish reason `{reason}`)"
    cure = "use a server, or a version of it, that passes `finish_reason` on"
    return f"the server ended its reply without a finish reason, so that it may be cut; {cure}"


def _sound(tools: list[str]) -> list[dict[str, Any]]:
    read = []
    for arguments in tools:
        try:
            # A string that holds an object once more is common, too.
            value = json.loads(arguments, strict=False)
            value = json.loads(value, strict=False) if isinstance(value, str) else value
        except (ValueError, RecursionError):  # cut off: it is not what the model meant to say
            continue
        if isinstance(value, dict):
            read.append(value)
    return read

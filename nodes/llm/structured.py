"""Structured output as a ladder, for servers that lack any rung of it.

Native JSON schema, then tool calling, then JSON found in free text, then one more ask with the
validation error, then a failure of kind `malformed`. A server that was seen to refuse or ignore a rung
is not asked for it again.
"""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from pydantic import BaseModel, ValidationError

from nodes.llm.endpoint import Learnt, Rung
from nodes.llm.errors import ModelError
from nodes.llm.reply import Reply
from nodes.llm.text import NoObject, explain, parse_object, shorten

T = TypeVar("T", bound=BaseModel)

RUNGS: tuple[Rung, ...] = ("json_schema", "tool", "text")
NONE: frozenset[str] = frozenset()


class Request(Protocol):
    """Sends a conversation to one model, with more fields for the request's body."""

    async def __call__(self, messages: Sequence[BaseMessage], /, **extra: Any) -> Reply:
        """Return the reply; raises `ModelError` when none is usable."""


async def ask(
    request: Request, learnt: Learnt, messages: Sequence[BaseMessage], shape: type[T], without: frozenset[str] = NONE
) -> T:
    """Ask for an object of `shape`.

    Args:
        request: How to ask.
        learnt: What earlier calls have shown about the server; this one adds to it.
        messages: The conversation.
        shape: What the reply must fit.
        without: Fields with a default that are not asked for; a reply may have them all the same.

    Raises:
        ModelError: Every rung failed (`malformed`), or the reply was refused, truncated or never came.
    """
    lacking = True
    for rung in RUNGS[RUNGS.index(learnt.first_rung) :]:
        try:
            found = await _ask_at(rung, request, messages, shape, without)
        except NoObject as error:
            lacking = lacking and not error.found_json
        except ModelError as error:
            if rung == RUNGS[-1] or error.kind != "bad_request":
                raise
        else:
            if lacking:
                learnt.first_rung = rung
            return found
    raise AssertionError("the last rung returns or raises")


async def _ask_at(
    rung: Rung, request: Request, messages: Sequence[BaseMessage], shape: type[T], without: frozenset[str]
) -> T:
    if rung == "text":
        return await _ask_in_words(request, messages, shape, without)
    return read(await request(messages, **_body(rung, shape, without)), shape)


async def _ask_in_words(
    request: Request, messages: Sequence[BaseMessage], shape: type[T], without: frozenset[str]
) -> T:
    schema = json.dumps(wire_schema(shape, without), ensure_ascii=False)
    wish = HumanMessage(f"Reply with one JSON object and nothing else. It must fit this JSON schema:\n{schema}")
    conversation = [*messages, wish]
    reply = await request(conversation)
    try:
        return read(reply, shape)
    except NoObject as error:
        again = HumanMessage(f"That does not fit: {error}. Reply with the corrected JSON object and nothing else.")
        reply = await request([*conversation, AIMessage(shorten(reply.text, 4_000) or "…"), again])
    try:
        return read(reply, shape)
    except NoObject as error:
        raise ModelError("malformed", f"the model gave no usable {shape.__name__}: {error}") from error


def read(reply: Reply, shape: type[T]) -> T:
    """Read an object of `shape` from a reply, be it a tool call or text.

    Raises:
        NoObject: Nothing in the reply fits.
        ModelError: The reply was cut off (`truncated`), so that what it holds may be half of a whole.
    """
    called = reply.message.tool_calls or reply.message.invalid_tool_calls
    if called and reply.tool_args is None and reply.finish_reason != "length":
        raise NoObject("the arguments of the tool call are not sound JSON", found_json=True)
    try:
        if reply.tool_args is not None:
            return shape.model_validate(reply.tool_args)
        if reply.finish_reason in ("length", ""):
            # Cut off, or a stream that ended without an end: mending would turn half a plan into a plan.
            return shape.model_validate_json(reply.text)
        return parse_object(reply.text, shape)
    except ValidationError as error:
        if reply.finish_reason == "length":
            raise ModelError("truncated", "the reply was cut at the token limit; raise `max_tokens`") from error
        raise NoObject(explain(error), found_json=True) from error


def _body(rung: Rung, shape: type[BaseModel], without: frozenset[str]) -> dict[str, Any]:
    schema = wire_schema(shape, without)
    if rung == "json_schema":
        # Sent as plain body fields: the client's own parsing would hide truncated and refused replies.
        wanted = {"name": shape.__name__, "schema": schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}
    function = {"name": shape.__name__, "description": shape.__doc__ or "", "parameters": schema}
    return {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": shape.__name__}},
    }


@cache
def wire_schema(shape: type[BaseModel], without: frozenset[str] = NONE) -> dict[str, Any]:
    """Return the JSON schema of `shape`, less some fields, as strict servers want it: all required, no others."""
    wanted = shape.model_json_schema()
    wanted["properties"] = {name: field for name, field in wanted["properties"].items() if name not in without}
    schema = _strict(wanted)
    assert isinstance(schema, dict)
    return schema


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    strict = {key: _strict(value) for key, value in node.items() if key not in ("title", "default")}
    if node.get("type") == "object" and "properties" in node:
        strict["properties"] = {name: _strict(value) for name, value in node["properties"].items()}
        strict |= {"additionalProperties": False, "required": list(node["properties"])}
    return strict

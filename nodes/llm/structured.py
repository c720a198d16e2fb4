"""Structured output as a ladder, for servers that lack any rung of it.

Native JSON schema, then tool calling, then in words: with JSON mode where the server has it, else JSON found in free
text; then one more ask with the validation error, then a failure of kind `malformed`. A server that was seen to refuse,
break on or ignore a rung is not asked for it again for a while (see `nodes.llm.endpoints.endpoint.Ladder`).
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any, Protocol, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from pydantic import BaseModel, ValidationError

from nodes.llm.endpoints.endpoint import RUNGS, Learnt, Rung
from nodes.llm.replies.errors import Kind, ModelError
from nodes.llm.replies.fit import fit
from nodes.llm.replies.objects import NoObject, explain, parse_object
from nodes.llm.replies.reply import Reply
from nodes.llm.replies.text import shorten

T = TypeVar("T", bound=BaseModel)

NOT_THIS_WAY_KINDS: frozenset[Kind] = frozenset({"bad_request", "server_error", "empty"})
"""What may mean that a server cannot be asked in this way, where it lasts."""


class Request(Protocol):
    """Sends a conversation to one model, with more fields for the request's body."""

    async def __call__(self, messages: Sequence[BaseMessage], /, **extra: Any) -> Reply:
        """Return the reply; raises `ModelError` when none is usable."""


async def ask(
    request: Request, learnt: Learnt, messages: Sequence[BaseMessage], shape: type[T], *, strict: bool = False
) -> T:
    """Ask for an object of `shape`.

    Args:
        request: How to ask.
        learnt: What earlier calls have shown about the server; this one adds to it.
        messages: The conversation.
        shape: What the reply must fit.
        strict: Whether only a whole reply will do.

    Raises:
        ModelError: Every rung failed (`malformed`), or the reply was refused, truncated or never came.
    """
    lacking, first = True, learnt.ladder.start()
    for rung in RUNGS[RUNGS.index(first) :]:
        try:
            found = await _ask_at(rung, request, messages, shape, strict=strict)
        except NoObject as error:
            lacking = lacking and not error.found_json
        except ModelError as error:
            if rung == RUNGS[-1] or error.kind not in NOT_THIS_WAY_KINDS:
                raise
        else:
            if lacking and rung != first:
                learnt.ladder.learn(rung)
            return found
    raise AssertionError("the last rung returns or raises")


async def _ask_at(rung: Rung, request: Request, messages: Sequence[BaseMessage], shape: type[T], *, strict: bool) -> T:
    if rung in ("json", "text"):
        mode = {"response_format": {"type": "json_object"}} if rung == "json" else {}
        return await _ask_in_words(partial(request, **mode), messages, shape, strict=strict)
    return read(await request(messages, **_body(rung, shape)), shape, strict=strict)


async def _ask_in_words(request: Request, messages: Sequence[BaseMessage], shape: type[T], *, strict: bool) -> T:
    schema = json.dumps(wire_schema(shape), ensure_ascii=False)
    wish = HumanMessage(f"Reply with one JSON object and nothing else. It must fit this JSON schema:\n{schema}")
    conversation = [*messages, wish]
    reply = await request(conversation)
    try:
        return read(reply, shape, strict=strict)
    except NoObject as error:
        again = HumanMessage(f"That does not fit: {error}. Reply with the corrected JSON object and nothing else.")
        reply = await request([*conversation, AIMessage(shorten(reply.text, 4_000) or "…"), again])
    try:
        return read(reply, shape, strict=strict)
    except NoObject as error:
        raise ModelError("malformed", f"the model gave no usable {name_of(shape)}: {error}") from error


def read(reply: Reply, shape: type[T], *, strict: bool = False) -> T:
    """Read an object of `shape` from a reply, be it a tool call or text.

    Args:
        reply: The reply.
        shape: What it must fit.
        strict: Whether the reply must be whole; else a sound object does, whatever ended the reply after it, and where
            the reply has none, one in the model's thoughts.

    Raises:
        NoObject: Nothing in the reply fits.
        ModelError: The reply was cut off (`truncated`), so that what it holds may be half of a whole.
    """
    cut = reply.state == "cut"
    if strict and reply.state != "whole":
        raise ModelError("truncated" if cut else "malformed", reply.shortfall, reply=reply)
    try:
        return _read_answer(reply, shape)
    except (NoObject, ValidationError) as error:
        if cut:
            raise ModelError("truncated", reply.shortfall, reply=reply) from error
        if not strict and reply.state in ("whole", "empty"):
            with suppress(NoObject):
                return parse_object(reply.reasoning, shape, mend=False)
        if isinstance(error, NoObject):
            raise
        raise NoObject(explain(error), found_json=True) from error


def _read_answer(reply: Reply, shape: type[T]) -> T:
    if reply.called:
        return _all_that_fit(reply.tool_args, shape)
    if reply.state not in ("whole", "empty"):
        # Mending would turn half a plan into a plan.
        return fit(shape, _json(reply.text))
    return parse_object(reply.text, shape)


def _json(text: str) -> object:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        # Half of one says nothing about the way in which it was asked for.
        raise NoObject("the reply holds no readable JSON object", found_json=True) from error


def _all_that_fit(tool_args: Sequence[dict[str, Any]], shape: type[T]) -> T:
    """Read one object from the tool calls of a reply: several of them hold its lists between them."""
    wrong: ValidationError | None = None
    found: list[T] = []
    for arguments in tool_args:
        try:
            found.append(fit(shape, arguments))
        except ValidationError as error:
            wrong = wrong or error
    if not found:
        said = explain(wrong) if wrong else "the arguments of the tool call are not sound JSON"
        raise NoObject(said, found_json=True)
    lists = {name for name in shape.model_fields if isinstance(getattr(found[0], name), list)}
    return found[0].model_copy(update={name: _join_calls([getattr(one, name) for one in found]) for name in lists})


def _join_calls(lists: Sequence[list[Any]]) -> list[Any]:
    """Put lists one after another; a string that comes again is the same one."""
    items = [item for each in lists for item in each]
    return list(dict.fromkeys(items)) if all(isinstance(item, str) for item in items) and len(lists) > 1 else items


def _body(rung: Rung, shape: type[BaseModel]) -> dict[str, Any]:
    schema = wire_schema(shape)
    if rung == "json_schema":
        # Sent as plain body fields: the client's own parsing would hide truncated and refused replies.
        wanted = {"name": name_of(shape), "schema": schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}
    function = {"name": name_of(shape), "description": shape.__doc__ or "", "parameters": schema}
    return {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": name_of(shape)}},
    }


def name_of(shape: type[BaseModel]) -> str:
    """Return what a shape is called on the wire."""
    return shape.model_config.get("title") or shape.__name__


@cache
def wire_schema(shape: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of `shape` as strict servers want it: every field required, no others."""
    schema = _strict(shape.model_json_schema())
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

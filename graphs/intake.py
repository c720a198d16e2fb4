"""What a run is given, as every store can keep it: LangGraph stores it as it comes, before the first node sees it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import BaseMessage, convert_to_messages
from langgraph.types import Command, StateUpdate
from pydantic import BaseModel

from nodes.conversation.turns import read_conversation
from nodes.shared.cleaning import one_line, storable
from nodes.state import Problem, State

MAX_NESTING = 100
"""How deep lists and objects may stand in each other."""
MAX_INTEGER = 2**63 - 1
MAX_REFUSAL_CHARACTERS = 300
"""Characters of a library's words on what is no message."""


def storable_input(given: Any) -> Any:
    """Return the input of a run, or what goes on with one, so that it can be stored; what is none of ours is left out.

    Raises:
        ValueError: It is refused; the message says why.
    """
    if isinstance(given, Command):
        return replace(given, update=storable_value(given.update), resume=storable_value(given.resume))
    if not isinstance(given, Mapping):
        return given
    ours = {name: given[name] for name in Problem.model_fields if name in given}
    # A question may stand from before.
    checked = Problem.model_validate({"question": "-", **ours})
    return checked.model_dump(include=set(ours), exclude_unset=True)


def storable_messages(given: Any) -> Any:
    """Return the messages that a conversation is given, so that they can be stored; all else is left out.

    Raises:
        ValueError: The latest human message among them is refused; the message says why.
    """
    if isinstance(given, Command):
        return replace(given, update=storable_value(given.update), resume=storable_value(given.resume))
    if not isinstance(given, Mapping) or given.get("messages") is None:
        return given
    messages = read_messages(storable_value(given["messages"]))
    # What goes on with a conversation, such as a tool's message, may ask nothing.
    if any(message.type == "human" for message in messages):
        read_conversation(messages)
    return {"messages": messages}


def read_messages(given: Any) -> list[BaseMessage]:
    """Read messages in any form that LangChain takes.

    Raises:
        ValueError: They are none.
    """
    listed = given if isinstance(given, list) else [given]
    try:
        return [one if isinstance(one, BaseMessage) else convert_to_messages([one])[0] for one in listed]
    except (ValueError, NotImplementedError, TypeError, KeyError) as error:
        raise ValueError(f"`messages` are no messages: {one_line(str(error), MAX_REFUSAL_CHARACTERS)}") from None


def storable_updates(supersteps: Sequence[Sequence[StateUpdate]]) -> list[list[StateUpdate]]:
    """Return what somebody writes into a state so that it can be stored, as the types that the state is made of.

    Raises:
        ValueError: It is refused; the message says why.
    """
    return [[StateUpdate(_fit_state(storable_value(update[0])), *update[1:]) for update in step] for step in supersteps]


def _fit_state(values: Any) -> Any:
    if not isinstance(values, dict):
        return values
    if values.get("question", "") is None:
        raise ValueError("`question` cannot be emptied; write what you want to know")
    # What is nothing empties any other field.
    ours = {name: value for name, value in values.items() if name in State.model_fields and value is not None}
    checked = State.model_validate({"question": "-", **ours})
    return values | {name: getattr(checked, name) for name in ours}


def storable_value(value: Any, nesting: int = 0) -> Any:
    """Return a value whose texts and numbers every store can hold.

    Raises:
        ValueError: It is nested too deeply.
    """
    if nesting > MAX_NESTING:
        raise ValueError(f"lists and objects stand in each other more than {MAX_NESTING} deep")
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-MAX_INTEGER, min(value, MAX_INTEGER))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: storable_value(field, nesting + 1) for name, field in value})
    if isinstance(value, dict):
        return {storable_value(key): storable_value(item, nesting + 1) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(storable_value(item, nesting + 1) for item in value)
    return value

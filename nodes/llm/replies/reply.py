"""What a model answered, and what its reply is: whole, cut, refused, … Everything behind asks that one word (pure)."""

import json
from typing import Any, NamedTuple

from nodes.llm.replies.finish import State


class Ask(NamedTuple):
    """A call of a tool that a model asks for."""

    id: str
    name: str
    arguments: str
    """As they were sent."""

    def read(self) -> dict[str, Any] | None:
        """Return the arguments; `None` where they are no JSON object."""
        try:
            read = json.loads(self.arguments or "{}", strict=False)
        except (ValueError, RecursionError):
            return None
        return read if isinstance(read, dict) else None


class Reply(NamedTuple):
    """What a model answered."""

    text: str
    """Its answer, without its reasoning."""
    reasoning: str = ""
    finish_reason: str = ""
    """As the server gave it."""
    state: State = "whole"
    """Only a whole reply is an answer that stands."""
    shortfall: str = ""
    """Why it is not whole, in words that can be shown; empty where it is."""
    tool_args: tuple[dict[str, Any], ...] = ()
    """Arguments of the tool calls that it made, without those that are no sound JSON."""
    called: bool = False
    """Whether it made any tool call."""
    asks: tuple[Ask, ...] = ()
    """The tool calls, with the names of the tools."""
    matched: str = ""
    """What ended it, of a text that was continued: a stop string, or `token`; empty where the server does not tell."""


def richer(new: Reply | None, old: Reply | None) -> Reply | None:
    """Return the newer of two replies, unless only the older one holds text."""
    return old if old and (new is None or (old.text and not new.text)) else new

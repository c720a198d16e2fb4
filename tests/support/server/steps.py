"""What a server is told to send: replies, faults, and the objects that roles write."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class Fault:
    """Something other than a sound reply with status 200."""

    status: int = 200
    body: str | None = None
    """Sent as it is; `None` stands for a usual error object."""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True)
class Reply:
    """A sound reply with chosen details."""

    text: str = ""
    finish_reason: str = "stop"
    """Empty for a reply that ends without saying why."""
    reasoning: str = ""
    refusal: str | None = None
    delay: float = 0.0
    held: asyncio.Event | None = None
    """It begins when this is set."""
    pace: float = 0.0
    """Seconds between the pieces of a stream."""
    prompt_tokens: int = 10
    completion_tokens: int = 5
    reasoning_tokens: int = 0
    cached_tokens: int = 0

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Tokens read, written, and those of them that were reasoning and cached."""
        return self.prompt_tokens, self.completion_tokens, self.reasoning_tokens, self.cached_tokens


@dataclass(frozen=True)
class Tool:
    """A reply that calls the tool it was offered."""

    arguments: Any
    """Sent as JSON; text is sent as it is."""
    finish_reason: str = "tool_calls"
    reasoning: str = ""
    name: str = "any"
    id: str = "1"
    beside: "tuple[Tool, ...]" = ()
    """Calls in the same reply."""


@dataclass(frozen=True)
class Events:
    """A stream sent as it is; each item is an event's data, text as it is and anything else as JSON."""

    data: Sequence[Any]


HANG = Fault(status=-1)
"""Never answer."""
DROP = Fault(status=-2)
"""Close the connection instead of answering; while streaming, after the first words."""
STALL = Fault(status=-3)
"""Never answer; while streaming, after the first words."""
WORDS = "Half of an "
"""What is streamed before the connection is dropped or stalls."""


@dataclass(frozen=True)
class Storm:
    """A fault that meets every request until it is over; then comes the next step."""

    fault: Fault
    until: float
    """As `time.perf_counter` tells it."""


Step = str | BaseModel | dict[str, Any] | Reply | Tool | Events | Fault | Storm


def outline(*parts: str, answer: str = "text") -> dict[str, Any]:
    """An outline with these lines."""
    return {"parts": list(parts), "answer": answer}


def plan(*parts: str) -> dict[str, Any]:
    """A plan with these lines."""
    return {"parts": list(parts)}


def review(
    answer: str = "", *redo: str, conflicts: Sequence[tuple[Sequence[str], Sequence[str]]] = ()
) -> dict[str, Any]:
    """A review: the answer, lines such as `T2: wrong sum`, and conflicts as pairs of ids and quotations."""
    told = [{"threads": list(threads), "quotes": list(quotes)} for threads, quotes in conflicts]
    return {"redo": list(redo), "conflicts": told, "answer": answer}

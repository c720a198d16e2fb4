"""What models think while a run goes on, apart from its answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nodes.llm.endpoints.usage import stage_of
from nodes.llm.replies.growing import GrowingText


@dataclass(frozen=True)
class ThinkingPiece:
    """Text that a model has thought after what it had thought before in the same call."""

    text: str
    stage: str
    """The node that asks: `assess`, `decompose`, `solve`, `review`, `refine` or `direct`."""
    thread_id: str | None = None
    """The thread that it is asked for, if for one."""


class ThinkingStream:
    """Follows what models think, call by call."""

    def __init__(self) -> None:
        self._replies: dict[str, GrowingText] = {}
        """By the message's id: what may hold thoughts between tags."""
        self._told: dict[str, int] = {}
        """Characters of those that are told."""
        self._apart: set[str] = set()
        """Messages whose thoughts stand apart; llama.cpp's older format has them between tags once more."""

    def take(self, message: Any, about: Mapping[str, Any]) -> ThinkingPiece | None:
        """Take in a piece of a message, as a graph or the HTTP server streams it."""
        if isinstance(message, Mapping):
            id, text, more = message.get("id"), message.get("content"), message.get("additional_kwargs")
        else:
            id, text, more = message.id, message.text, message.additional_kwargs
        apart = (more or {}).get("reasoning_content")
        if apart and isinstance(apart, str):
            self._apart.add(str(id))
            thought = apart
        else:
            thought = "" if str(id) in self._apart else self._between(str(id), str(text or ""))
        thread = about.get("apr_thread")
        return ThinkingPiece(thought, stage_of(str(about.get("apr_role", "")), thread), thread) if thought else None

    def _between(self, id: str, text: str) -> str:
        """Return what has come of a message's thoughts between tags."""
        reply = self._replies.setdefault(id, GrowingText())
        reply.take(text)
        new = reply.thought[self._told.get(id, 0) :]
        self._told[id] = self._told.get(id, 0) + len(new)
        return new

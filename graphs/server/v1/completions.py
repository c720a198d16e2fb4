"""A run as a chat completion, whole or in chunks (pure).

The shapes are those of https://platform.openai.com/docs/api-reference/chat; `reasoning_content`, in which other servers
send what a model thinks, tells how the run goes.
"""

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from graphs.server.v1.asked import Asked
from graphs.server.v1.run import Event, Progress, Text
from nodes.conversation.reply import FIGURES, figures_of
from nodes.llm.endpoints.usage import Usage
from nodes.state import Solution


class Completion:
    """Writes the chat completion of a run."""

    def __init__(self, asked: Asked) -> None:
        """Begin it."""
        self._usage = asked.usage
        self._head = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time()), "model": asked.model}

    def whole(self, solution: Solution, text: str, progress: str) -> dict[str, Any]:
        """Write it whole."""
        message = {"role": "assistant", "content": text, "reasoning_content": progress, "refusal": None}
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": _usage_of(solution.report.tokens),
            FIGURES: figures_of(solution),
        }

    def begin(self) -> Iterator[dict[str, Any]]:
        """Write what comes before all else."""
        yield self._chunk({"role": "assistant", "content": ""})

    def take(self, event: Event) -> Iterator[dict[str, Any]]:
        """Write what tells of an event."""
        if isinstance(event, Progress):
            yield self._chunk({"reasoning_content": f"{event.text}\n"})
        elif isinstance(event, Text):
            yield self._chunk({"content": event.text})
        else:
            yield self._chunk({}, finish_reason="stop") | {FIGURES: figures_of(event)}
            if self._usage:
                yield self._chunk() | {"usage": _usage_of(event.report.tokens)}

    def _chunk(self, delta: dict[str, Any] | None = None, finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        choices = [choice] if delta is not None else []
        return {**self._head, "object": "chat.completion.chunk", "choices": choices}


def _usage_of(tokens: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.total,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }

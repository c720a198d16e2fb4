"""A run as a response, whole or as events (pure).

The shapes are those of https://platform.openai.com/docs/api-reference/responses; how the run goes is the summary of a
reasoning item, which ends where the answer begins.
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


class Response:
    """Writes the response of a run."""

    def __init__(self, asked: Asked) -> None:
        """Begin it."""
        self._head = {"id": f"resp_{uuid4().hex}", "object": "response", "created_at": int(time.time())}
        self._model = asked.model
        self._sent = 0
        self._thought, self._said = "", ""
        self._reasoning, self._message = f"rs_{uuid4().hex}", f"msg_{uuid4().hex}"
        self._output: list[dict[str, Any]] = []
        self._open = ""
        """The kind of the item that is being written."""

    def whole(self, solution: Solution, text: str, progress: str) -> dict[str, Any]:
        """Write it whole."""
        self._thought, self._said = progress, text
        self._output = [self._reasoning_item(), self._message_item("completed")]
        return self._response("completed", solution)

    def begin(self) -> Iterator[dict[str, Any]]:
        """Write what comes before all else."""
        yield self._event("created", response=self._response("in_progress"))
        yield self._event("in_progress", response=self._response("in_progress"))

    def take(self, event: Event) -> Iterator[dict[str, Any]]:
        """Write what tells of an event."""
        if isinstance(event, Progress):
            yield from self._think(event.text)
        elif isinstance(event, Text):
            yield from self._say(event.text)
        else:
            yield from self._close()
            yield self._event("completed", response=self._response("completed", event))

    def fail(self, why: str) -> dict[str, Any]:
        """Write that there is no answer."""
        error = {"code": "server_error", "message": why}
        return self._event("failed", response=self._response("failed") | {"error": error})

    def _think(self, line: str) -> Iterator[dict[str, Any]]:
        if self._said or self._open == "message":
            return
        at = {"item_id": self._reasoning, "output_index": 0, "summary_index": 0}
        if not self._open:
            self._open = "reasoning"
            yield self._event("output_item.added", output_index=0, item=self._reasoning_item())
            yield self._event("reasoning_summary_part.added", **at, part={"type": "summary_text", "text": ""})
        self._thought += f"{line}\n"
        yield self._event("reasoning_summary_text.delta", **at, delta=f"{line}\n")

    def _say(self, text: str) -> Iterator[dict[str, Any]]:
        if self._open != "message":
            yield from self._close()
            self._open = "message"
            item = self._message_item("in_progress") | {"content": []}
            yield self._event("output_item.added", output_index=len(self._output), item=item)
            yield self._event("content_part.added", **self._at(), part=_text_part(""))
        self._said += text
        yield self._event("output_text.delta", **self._at(), delta=text, logprobs=[])

    def _close(self) -> Iterator[dict[str, Any]]:
        """End the item that is being written."""
        if self._open == "reasoning":
            at = {"item_id": self._reasoning, "output_index": 0, "summary_index": 0}
            part = {"type": "summary_text", "text": self._thought}
            yield self._event("reasoning_summary_text.done", **at, text=self._thought)
            yield self._event("reasoning_summary_part.done", **at, part=part)
            item = self._reasoning_item()
        elif self._open == "message":
            yield self._event("output_text.done", **self._at(), text=self._said, logprobs=[])
            yield self._event("content_part.done", **self._at(), part=_text_part(self._said))
            item = self._message_item("completed")
        else:
            return
        yield self._event("output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        self._open = ""

    def _at(self) -> dict[str, Any]:
        return {"item_id": self._message, "output_index": len(self._output), "content_index": 0}

    def _reasoning_item(self) -> dict[str, Any]:
        summary = [{"type": "summary_text", "text": self._thought}] if self._thought else []
        return {"id": self._reasoning, "type": "reasoning", "summary": summary}

    def _message_item(self, status: str) -> dict[str, Any]:
        content = [_text_part(self._said)]
        return {"id": self._message, "type": "message", "role": "assistant", "status": status, "content": content}

    def _response(self, status: str, solution: Solution | None = None) -> dict[str, Any]:
        usage = {"usage": _usage_of(solution.report.tokens), FIGURES: figures_of(solution)} if solution else {}
        return {
            **self._head,
            "status": status,
            "model": self._model,
            "output": list(self._output),
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "parallel_tool_calls": False,
            "temperature": None,
            "tool_choice": "none",
            "tools": [],
            "top_p": None,
            "store": False,
            "usage": None,
            **usage,
        }

    def _event(self, kind: str, **fields: Any) -> dict[str, Any]:
        self._sent += 1
        return {"type": f"response.{kind}", "sequence_number": self._sent - 1, **fields}


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage_of(tokens: Usage) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.total,
    }

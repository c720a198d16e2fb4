"""Reading what a chat completions server sends, whole or streamed, as servers really write it (pure)."""

import json
from typing import Any, NamedTuple

from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

from nodes.llm.replies.codes import error_in
from nodes.llm.replies.finish import pick_reason, reason_in
from nodes.shared.cleaning import storable

TOOLS = "apr_tools"
"""In a message's `additional_kwargs`: the arguments of each tool call, as they were sent."""
LARGEST_COUNT = 2**53
"""Tokens; a larger count is none, and no store or JSON reader holds it exactly."""
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")


class New(NamedTuple):
    """What one object of a stream added."""

    text: str = ""
    reasoning: str = ""


class Heard:
    """A reply as far as it has been heard.

    Attributes:
        refusal: Why the model refuses, in its words.
        error: The error object of a reply that holds one.
        model: What the server calls the model.
        is_chat: Whether anything so far is a chat server's reply.
    """

    def __init__(self) -> None:
        self.refusal = self.model = ""
        self.error: dict[str, Any] | None = None
        self.is_chat = self._went_on = self._in_pieces = False
        self._reasons: list[str] = []
        self._usage: dict[str, Any] = {}
        self._tools: list[_Tool] = []
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._half = ""

    @property
    def text(self) -> str:
        """The answer, thoughts between tags included."""
        return "".join([*self._text, storable(self._half)])

    @property
    def reasoning(self) -> str:
        """What the server itself keeps apart as reasoning."""
        return "".join(self._reasoning)

    @property
    def finish_reason(self) -> str:
        """Why the reply ended, as the server gave it; empty where it did not."""
        return pick_reason(self._reasons)

    @property
    def finished(self) -> bool:
        """Whether a finish reason came, and meant the end: some servers send one with every piece."""
        return bool(self._reasons) and not self._went_on

    @property
    def tools(self) -> list[str]:
        """The arguments of each tool call, as they were sent."""
        return [storable("".join(tool.pieces)) for tool in self._tools]

    @property
    def usage(self) -> UsageMetadata | None:
        """What the server counted last; servers that count in every chunk count from the start each time."""
        return usage_of(self._usage) if self._usage else None

    def take(self, data: Any) -> New:
        """Take in a whole reply, or the next object of a stream."""
        if isinstance(data, list) and data:  # Gemini puts its errors into a list
            data = data[0]
        if not isinstance(data, dict):
            return New()
        choice = _first(data.get("choices"))
        self.error = self.error or error_in(data, choice)
        if isinstance(data.get("model"), str):
            self.model = storable(data["model"])
        counted = data.get("usage") or choice.get("usage")
        if isinstance(counted, dict):
            self._usage = counted
        message = self._message(choice)
        spoken = bool(choice.get("message")) or "delta" in choice or isinstance(choice.get("text"), str)
        self.is_chat = self.is_chat or spoken
        new = self._listen(choice, message)
        self._went_on = self._went_on or bool(self._reasons and new.text)
        if reason := reason_in(choice, message, data):
            self._reasons.append(storable(reason))
        return new

    def _message(self, choice: dict[str, Any]) -> dict[str, Any]:
        """Return what a choice adds; beside each piece, or after the last, some streams repeat all that came so far."""
        whole, piece = choice.get("message"), choice.get("delta")
        self._in_pieces = self._in_pieces or (isinstance(piece, dict) and bool(piece.get("content")))
        message = piece if self._in_pieces else whole or piece
        return message if isinstance(message, dict) else {}

    def _listen(self, choice: dict[str, Any], message: dict[str, Any]) -> New:
        text, thought = _content(message.get("content"))
        if not message and isinstance(choice.get("text"), str):
            text = choice["text"]
        reasoning = next((message[name] for name in _REASONING_FIELDS if isinstance(message.get(name), str)), "")
        if isinstance(message.get("refusal"), str):
            self.refusal += storable(message["refusal"])
        self._listen_to_tools(message, streamed=not choice.get("message"))
        new = New(self._whole_characters(text), storable(reasoning + thought))
        self._text.append(new.text)
        self._reasoning.append(new.reasoning)
        return new

    def _whole_characters(self, text: str) -> str:
        """Hold back the first half of a character that two chunks share."""
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return storable(text)

    def _listen_to_tools(self, message: dict[str, Any], *, streamed: bool) -> None:
        calls = message.get("tool_calls")
        older = message.get("function_call")
        for call in calls if isinstance(calls, list) else [{"function": older}] if isinstance(older, dict) else []:
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                continue
            said = function.get("arguments")
            piece = said if isinstance(said, str) else "" if said is None else json.dumps(said, ensure_ascii=False)
            self._tool(call, streamed=streamed).pieces.append(piece)

    def _tool(self, call: dict[str, Any], *, streamed: bool) -> "_Tool":
        """Return the tool call that a piece belongs to; some servers number all of them 0."""
        index, id = call.get("index"), call.get("id") or None
        known = [tool for tool in self._tools if tool.index == index and (id is None or tool.id in (None, id))]
        if not (streamed and known):
            self._tools.append(_Tool(index, id))
            return self._tools[-1]
        return known[-1]


class _Tool:
    """A tool call as far as it has been heard."""

    def __init__(self, index: Any, id: Any) -> None:
        self.index, self.id = index, id
        self.pieces: list[str] = []


def _first(choices: Any) -> dict[str, Any]:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _content(content: Any) -> tuple[str, str]:
    """Return the text and the reasoning of a message's content; Mistral sends a list of parts."""
    if isinstance(content, str) or content is None:
        return content or "", ""
    if not isinstance(content, list):
        return json.dumps(content, ensure_ascii=False), ""
    text, reasoning = "", ""
    for part in content:
        if isinstance(part, str):
            text += part
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            text += part["text"]
        elif isinstance(part, dict) and "thinking" in part:
            reasoning += "".join(_content(part["thinking"]))
    return text, reasoning


def usage_of(counted: dict[str, Any]) -> UsageMetadata:
    """Read a server's `usage`, under either pair of names, with nothing in it that is no count."""
    written, read = _details(counted, "completion", "output"), _details(counted, "prompt", "input")
    tokens_in = count(counted.get("prompt_tokens", counted.get("input_tokens")))
    tokens_out = count(counted.get("completion_tokens", counted.get("output_tokens")))
    cached = count(read.get("cached_tokens") or counted.get("prompt_cache_hit_tokens"))
    return UsageMetadata(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        total_tokens=tokens_in + tokens_out,
        input_token_details=InputTokenDetails(cache_read=cached),
        output_token_details=OutputTokenDetails(reasoning=count(written.get("reasoning_tokens"))),
    )


def _details(counted: dict[str, Any], *names: str) -> dict[str, Any]:
    found = (counted.get(f"{name}_tokens_details") for name in names)
    return next((details for details in found if isinstance(details, dict)), {})


def count(value: Any) -> int:
    """Return a count of tokens that every store can hold: a whole number from 0 to `LARGEST_COUNT`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0
    return int(min(max(value, 0), LARGEST_COUNT))

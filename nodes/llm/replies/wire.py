"""Reading what a chat completions server sends, whole or streamed, as servers really write it (pure)."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

from nodes.llm.replies.codes import error_in
from nodes.llm.replies.finish import pick_reason, reason_in
from nodes.shared.cleaning import storable
from nodes.shared.environment import MIN_SECRET_CHARACTERS
from nodes.shared.masking import leave_out

TOOLS = "apr_tools"
"""In a message's `additional_kwargs`: the arguments of each tool call, as they were sent."""
ASKS = "apr_asks"
"""The same for each call of a named tool: its id, the name, and the arguments."""
MATCHED = "apr_matched"
"""In a message's `response_metadata`: the stop string that ended it, or the token, where its server tells."""
COST = "apr_cost_usd"
"""In a message's `response_metadata`: what the server says that it cost."""
LARGEST_COST_USD = 1_000_000.0
"""Of one reply; what costs more, or is no number, is none."""
LARGEST_COUNT = 2**53
"""Tokens; a larger count is none, and no store or JSON reader holds it exactly."""
_MATCHED_FIELDS = ("matched_stop", "stop_reason", "stopping_word")
"""What SGLang, vLLM and llama.cpp call the stop string; of a token, they write the number."""
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
        matched: The stop string that ended a text that was continued, `token` for a token's number; empty where the
            server does not tell.
        is_chat: Whether anything so far is a chat server's reply.
        on_text: Is told all that has come of the text, each time more has.
        on_begin: Is called with each piece, the first one included.
    """

    on_text: Callable[[str], None] | None = None
    on_begin: Callable[[], None] | None = None

    def __init__(self, secret: str = "") -> None:
        """Begin to hear a reply; what a server repeats of the `secret` that it was sent is left out."""
        self.refusal = self.model = self.matched = ""
        self.error: dict[str, Any] | None = None
        self.is_chat = self._went_on = self._in_pieces = False
        self._secret = secret
        self._reasons: list[str] = []
        self._usage: dict[str, Any] = {}
        self._tools: list[_Tool] = []
        self._text, self._reasoning = _Flow(secret), _Flow(secret)

    @property
    def text(self) -> str:
        """The answer, thoughts between tags included."""
        return self._text.whole

    @property
    def reasoning(self) -> str:
        """What the server itself keeps apart as reasoning."""
        return self._reasoning.whole

    @property
    def rest(self) -> New:
        """What was held back so far, to be told when the reply has ended."""
        return New(self._text.rest, self._reasoning.rest)

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
        return [self._plain("".join(tool.pieces)) for tool in self._tools]

    @property
    def asks(self) -> list[tuple[str, str, str]]:
        """The id, the name and the arguments of each call of a named tool; some servers give no ids."""
        calls = zip(self._tools, self.tools, strict=True)
        return [(str(tool.id or f"call_{at}"), tool.name, said) for at, (tool, said) in enumerate(calls) if tool.name]

    @property
    def usage(self) -> UsageMetadata | None:
        """What the server counted last; servers that count in every chunk count from the start each time."""
        return usage_of(self._usage) if self._usage else None

    @property
    def cost(self) -> float | None:
        """What the server says that the reply cost, as OpenRouter does; `None` where it does not say."""
        told = self._usage.get("cost")
        if isinstance(told, bool) or not isinstance(told, int | float):
            return None
        return float(told) if 0 <= told < LARGEST_COST_USD else None

    def take(self, data: Any) -> New:
        """Take in a whole reply, or the next object of a stream."""
        if isinstance(data, list) and data:  # Gemini puts its errors into a list
            data = data[0]
        if not isinstance(data, dict):
            return New()
        choice = _first(data.get("choices"))
        self.error = self.error or error_in(data, choice)
        if isinstance(data.get("model"), str):
            self.model = self._plain(data["model"])
        counted = data.get("usage") or choice.get("usage")
        if isinstance(counted, dict):
            self._usage = counted
        message = self._message(choice)
        spoken = bool(choice.get("message")) or "delta" in choice or isinstance(choice.get("text"), str)
        self.is_chat = self.is_chat or spoken
        if spoken and self.on_begin:
            self.on_begin()
        new = self._listen(choice, message)
        self._went_on = self._went_on or bool(self._reasons and new.text)
        if isinstance(choice.get("text"), str):
            self.matched = self.matched or _find_stop_string(choice, data)
        if reason := reason_in(choice, message, data):
            self._reasons.append(self._plain(reason))
        if self.on_text and new.text:
            self.on_text(self.text)
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
        # Some servers send the same under two names, or leave one of them empty.
        told = (message.get(name) for name in _REASONING_FIELDS)
        reasoning = next((said for said in told if said and isinstance(said, str)), "")
        if isinstance(message.get("refusal"), str):
            self.refusal = self._plain(self.refusal + message["refusal"])
        self._listen_to_tools(message, streamed=not choice.get("message"))
        return New(self._text.take(text), self._reasoning.take(reasoning + thought))

    def _plain(self, text: str) -> str:
        return storable(leave_out(text, self._secret))

    def _listen_to_tools(self, message: dict[str, Any], *, streamed: bool) -> None:
        calls = message.get("tool_calls")
        older = message.get("function_call")
        for call in calls if isinstance(calls, list) else [{"function": older}] if isinstance(older, dict) else []:
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                continue
            said = function.get("arguments")
            piece = said if isinstance(said, str) else "" if said is None else json.dumps(said, ensure_ascii=False)
            tool = self._tool(call, streamed=streamed)
            tool.pieces.append(piece)
            tool.name = tool.name or self._plain(str(function.get("name") or ""))

    def _tool(self, call: dict[str, Any], *, streamed: bool) -> "_Tool":
        """Return the tool call that a piece belongs to; some servers number all of them 0."""
        index, id = call.get("index"), call.get("id") or None
        known = [tool for tool in self._tools if tool.index == index and (id is None or tool.id in (None, id))]
        if not (streamed and known):
            self._tools.append(_Tool(index, id))
            return self._tools[-1]
        return known[-1]


class _Flow:
    """A text that comes in pieces: what a piece cannot tell yet is held back."""

    def __init__(self, secret: str) -> None:
        self._secret, self._held = secret, ""
        self._told: list[str] = []

    @property
    def whole(self) -> str:
        return "".join([*self._told, self.rest])

    @property
    def rest(self) -> str:
        return storable(self._held)

    def take(self, piece: str) -> str:
        """Take in a piece, and return what can be told of the text by now."""
        text, self._held = leave_out(self._held + piece, self._secret), ""
        if held := self._open_end(text):
            text, self._held = text[:-held], text[-held:]
        self._told.append(storable(text))
        return self._told[-1]

    def _open_end(self, text: str) -> int:
        """Count the characters at the end that may be a part of the secret, or half a character."""
        if len(self._secret) >= MIN_SECRET_CHARACTERS:
            for length in range(min(len(self._secret) - 1, len(text)), 0, -1):
                if text.endswith(self._secret[:length]):
                    return length
        return int("\ud800" <= text[-1:] <= "\udbff")


class _Tool:
    """A tool call as far as it has been heard."""

    def __init__(self, index: Any, id: Any) -> None:
        self.index, self.id, self.name = index, id, ""
        self.pieces: list[str] = []


def _first(choices: Any) -> dict[str, Any]:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _find_stop_string(*places: dict[str, Any]) -> str:
    """Return the stop string that a server names."""
    said = (place.get(name) for place in places for name in _MATCHED_FIELDS)
    first = next((value for value in said if value not in (None, "")), "")
    return first if isinstance(first, str) else "token"


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
    reasoning = count(written.get("reasoning_tokens") or counted.get("reasoning_tokens"))
    beside = count(counted.get("total_tokens")) - tokens_in - tokens_out
    if beside > 0 and reasoning in (0, beside):
        # xAI and Gemini count thoughts beside the completion: only the total holds them.
        tokens_out, reasoning = tokens_out + beside, beside
    return UsageMetadata(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        total_tokens=tokens_in + tokens_out,
        input_token_details=InputTokenDetails(cache_read=cached),
        output_token_details=OutputTokenDetails(reasoning=reasoning),
    )


def _details(counted: dict[str, Any], *names: str) -> dict[str, Any]:
    found = (counted.get(f"{name}_tokens_details") for name in names)
    return next((details for details in found if isinstance(details, dict)), {})


def count(value: Any) -> int:
    """Return a count of tokens that every store can hold: a whole number from 0 to `LARGEST_COUNT`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0
    return int(min(max(value, 0), LARGEST_COUNT))

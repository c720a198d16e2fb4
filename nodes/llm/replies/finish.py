"""What a finish reason says of a reply, in every dialect that servers speak (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

State = Literal["whole", "cut", "refused", "filtered", "failed", "empty", "unknown"]
"""What a reply is. Only a whole one is an answer that stands."""

# Sources: the API references of OpenAI (chat and responses), Azure, Anthropic, Gemini, Mistral, Cohere, DeepSeek,
# Zhipu, Amazon Bedrock, OpenRouter, xAI and watsonx, and the sources of llama.cpp, vLLM, SGLang, TGI and Ollama.
FINISH_REASONS: dict[State, tuple[str, ...]] = {
    "whole": (
        *("stop", "tool_calls", "tool_call", "tool_use", "function_call", "stop_sequence", "end_turn"),
        *("complete", "completed", "finish", "finished", "normal", "success", "succeeded"),
        *("eos", "eos_token", "end_of_text", "endoftext", "word", "stop_word", "end"),
    ),
    "cut": (
        *("length", "max_tokens", "max_length", "model_length", "limit", "token_limit", "max_output_tokens"),
        *("max_completion_tokens", "max_new_tokens", "model_context_window_exceeded", "context_length", "context"),
        *("error_limit", "max_output", "incomplete", "not_finished", "repetition"),
    ),
    "refused": ("refusal", "refused"),
    "filtered": (
        *("content_filter", "content_filtered", "content_filter_error", "guardrail_intervened", "error_toxic"),
        *("safety", "recitation", "blocklist", "prohibited_content", "spii", "image_safety", "language", "sensitive"),
    ),
    "failed": (
        *("error", "failed", "failure", "abort", "aborted", "cancel", "cancelled", "canceled", "user_cancel"),
        *("timeout", "time_limit", "insufficient_system_resource", "network_error", "unload"),
        *("malformed_function_call", "malformed_model_output", "malformed_tool_use", "unexpected_tool_call"),
    ),
    "unknown": ("pause_turn", "other", "finish_reason_unspecified", "load"),
}
FIELDS = (
    *("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason"),
    *("native_finish_reason", "stop_type"),
)
"""Where servers say why a reply ended, the standard's name first."""
NONE = frozenset({"", "null", "none", "undefined"})
"""What stands for no reason yet: some servers write the word."""


def _plain(reason: str) -> str:
    """Return the letters of a reason: `FinishReason.MAX_TOKENS`, `max-tokens` and `maxTokens` are one."""
    return "".join(character for character in reason.rpartition(".")[2].casefold() if character.isalnum())


_STATES = {_plain(word): state for state, words in FINISH_REASONS.items() for word in words}


def reason_of(value: Any) -> str:
    """Return the finish reason that a server wrote, empty where it wrote none; SGLang writes `{"type": "length"}`."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = value.get("type") or value.get("reason")
    return value if isinstance(value, str) and value.strip().casefold() not in NONE else ""


def reason_in(*places: Mapping[str, Any]) -> str:
    """Return why a reply ended, from wherever its server says it: the first field, unless another tells of a fault.

    Args:
        places: The objects that may say it, the standard's place first.
    """
    said = [reason for place in places for name in FIELDS if (reason := reason_of(place.get(name)))]
    return pick_reason(said[::-1])


def state_of(reason: str) -> State:
    """Say what a reply with a finish reason is, provided that it holds something."""
    word = _plain(reason)
    if word in _STATES:
        return _STATES[word]
    # Where chunks that each say it were added up: `stopstop`.
    repeated = (known for known in _STATES if word and word == known * (len(word) // len(known)))
    return _STATES[next(repeated, "other")]


def pick_reason(reasons: Sequence[str]) -> str:
    """Return the reason that counts where a stream gave several: the last one, unless another one tells of a fault.

    A word that is not known tells of none: some servers write one in every chunk, `unspecified` until the last.
    """
    faults = (reason for reason in reasons if state_of(reason) not in ("whole", "unknown"))
    return next(faults, reasons[-1] if reasons else "")

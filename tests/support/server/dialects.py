"""How servers of reasoning models differ: where thoughts stand, how tokens are counted, what is refused.

As documented in the API references of OpenAI, DeepSeek, xAI and Gemini, in the documentation of vLLM ("Reasoning
Outputs", 0.10 and 0.11), SGLang ("Reasoning Parser"), llama.cpp (`--reasoning-format`), OpenRouter ("Streaming",
"Usage Accounting", "Reasoning Tokens") and Ollama ("OpenAI compatibility"), and as issues about them quote errors.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.server.steps import Reply

Body = dict[str, Any]


def count_as_openai(reply: Reply) -> Body:
    """Count thoughts as a part of the completion."""
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
    }


def _count_as_deepseek(reply: Reply) -> Body:
    missed = reply.prompt_tokens - reply.cached_tokens
    counted = count_as_openai(reply) | {"prompt_cache_hit_tokens": reply.cached_tokens}
    del counted["prompt_tokens_details"]
    return counted | {"prompt_cache_miss_tokens": missed}


def _count_as_vllm(reply: Reply) -> Body:
    total = reply.prompt_tokens + reply.completion_tokens
    return {
        "prompt_tokens": reply.prompt_tokens,
        "total_tokens": total,
        "completion_tokens": reply.completion_tokens,
        "prompt_tokens_details": None,
    }


def _count_as_sglang(reply: Reply) -> Body:
    return _count_as_vllm(reply) | {"reasoning_tokens": reply.reasoning_tokens}


def _count_as_openrouter(reply: Reply) -> Body:
    counted = count_as_openai(reply)
    counted["prompt_tokens_details"] |= {"cache_write_tokens": 0, "audio_tokens": 0}
    return counted | {"cost": OPENROUTER_COST, "is_byok": False, "cost_details": {"upstream_inference_cost": None}}


def _count_as_ollama(reply: Reply) -> Body:
    total = reply.prompt_tokens + reply.completion_tokens
    return {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens, "total_tokens": total}


def _count_as_xai(reply: Reply) -> Body:
    """Count thoughts beside the completion; only the total holds both."""
    return count_as_openai(reply) | {"completion_tokens": reply.completion_tokens - reply.reasoning_tokens}


def _count_as_gemini(reply: Reply) -> Body:
    return {name: count for name, count in _count_as_xai(reply).items() if not name.endswith("details")}


def refusal(message: str, param: str | None = None, code: str | None = None) -> Body:
    """Write an error as OpenAI does."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def _refuse_as_o1(body: Body) -> Body | None:
    if body.get("temperature", 1) != 1:
        words = "does not support 0.2 with this model. Only the default (1) value is supported."
        return refusal(f"Unsupported value: 'temperature' {words}", "temperature", "unsupported_value")
    if "max_tokens" in body:
        words = "is not supported with this model. Use 'max_completion_tokens' instead."
        return refusal(f"Unsupported parameter: 'max_tokens' {words}", "max_tokens", "unsupported_parameter")
    if body.get("reasoning_effort") in ("none", "xhigh"):
        words = (
            f"does not support '{body['reasoning_effort']}' with this model. Supported values are: 'low' and 'high'."
        )
        return refusal(f"Unsupported value: 'reasoning_effort' {words}", "reasoning_effort", "unsupported_value")
    return None


def _refuse_as_deepseek(body: Body) -> Body | None:
    kind = body.get("response_format", {}).get("type")
    if kind == "json_schema":
        return refusal("This response_format type is unavailable now", None, "invalid_request_error")
    if kind == "json_object" and "json" not in str(body["messages"]).lower():
        return refusal("Prompt must contain the word 'json' in some form to use 'response_format' of 'json_object'.")
    if "tool_choice" in body:
        return refusal("deepseek-reasoner does not support this tool_choice", None, "invalid_request_error")
    return None


def _refuse_as_first_r1(body: Body) -> Body | None:
    if "response_format" in body:
        return refusal("deepseek-reasoner does not support Json Output.", None, "invalid_request_error")
    return _refuse_as_deepseek(body)


def _refuse_as_ollama(body: Body) -> Body | None:
    effort = body.get("reasoning_effort")
    if effort not in (None, "high", "medium", "low", "max", "none"):
        return refusal(f'invalid reasoning value: \'{effort}\' (must be "high", "medium", "low", "max", or "none")')
    return None


@dataclass(frozen=True)
class Dialect:
    """How one kind of server writes what a reasoning model says."""

    fields: tuple[str, ...] = ("reasoning_content",)
    """Where thoughts stand beside the content."""
    within: str = "{}"
    """How thoughts stand in the content; `{}` for not at all."""
    count: Callable[[Reply], Body] = count_as_openai
    tells_reasoning: bool = True
    """Whether its counts tell what was thought."""
    refuse: Callable[[Body], Body | None] = lambda body: None
    details: bool = False
    """Whether thoughts stand beside the content a second time, as OpenRouter's `reasoning_details`."""
    comment: str = ""
    """What a stream holds before each event so that no proxy closes it; clients pass it over."""

    def content(self, reply: Reply) -> str:
        """Return the content, with thoughts in it where it has them."""
        before = self.within.format(reply.reasoning) if reply.reasoning and self.within != "{}" else ""
        return before + reply.text

    def message(self, reply: Reply) -> Body:
        """Write the message of a whole reply; a field without a text is null."""
        thought = self._thought(reply.reasoning) if reply.reasoning else dict.fromkeys(self.fields)
        return thought | {"content": self.content(reply) or None}

    def _thought(self, text: str) -> Body:
        details = [{"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}]
        return dict.fromkeys(self.fields, text) | ({"reasoning_details": details} if self.details else {})

    def pieces(self, reply: Reply, cut: Callable[[str], list[str]]) -> Iterator[Body]:
        """Cut a message into the deltas of a stream: thoughts, with null as content, and then the other way round."""
        nothing = dict.fromkeys(self.fields)
        if reply.reasoning and self.fields:
            yield from ({"content": None} | self._thought(word) for word in cut(reply.reasoning))
        yield from (nothing | {"content": word} for word in cut(self.content(reply)))


OPENROUTER_COST = 0.00125
"""Credits, each a US dollar, that a reply costs."""
TAGS = "<think>\n{}\n</think>\n\n"
DIALECTS = {
    "openai o-series": Dialect(fields=(), refuse=_refuse_as_o1),
    "deepseek": Dialect(count=_count_as_deepseek, refuse=_refuse_as_deepseek),
    "deepseek r1 of january 2025": Dialect(count=_count_as_deepseek, refuse=_refuse_as_first_r1),
    "vllm": Dialect(fields=("reasoning",), count=_count_as_vllm, tells_reasoning=False),
    "vllm 0.11": Dialect(fields=("reasoning", "reasoning_content"), count=_count_as_vllm, tells_reasoning=False),
    "vllm 0.10": Dialect(count=_count_as_vllm, tells_reasoning=False),
    "sglang": Dialect(count=_count_as_sglang),
    "llama.cpp": Dialect(count=_count_as_vllm, tells_reasoning=False),
    "llama.cpp none": Dialect(fields=(), within=TAGS, count=_count_as_vllm, tells_reasoning=False),
    "llama.cpp deepseek-legacy": Dialect(within=TAGS, count=_count_as_vllm, tells_reasoning=False),
    "r1's template, which opens the tag": Dialect(
        fields=(), within=TAGS.removeprefix("<think>\n"), count=_count_as_vllm, tells_reasoning=False
    ),
    "openrouter": Dialect(
        fields=("reasoning",), count=_count_as_openrouter, details=True, comment=": OPENROUTER PROCESSING\n\n"
    ),
    "ollama": Dialect(fields=("reasoning",), count=_count_as_ollama, tells_reasoning=False, refuse=_refuse_as_ollama),
    "xai": Dialect(count=_count_as_xai),
    "gemini": Dialect(fields=(), within="<thought>{}</thought>", count=_count_as_gemini),
}

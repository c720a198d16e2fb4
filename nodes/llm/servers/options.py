"""What a request says beside its messages: how to sample, how long to think and to write, how long to wait.

Reasoning models refuse what others take: a temperature, the older name of the reply's limit. Nothing here knows models
by name. LangChain's profile tells of some what they refuse; of the rest a server's refusal does, once in a process.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import httpx2

from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.replies.errors import ModelError
from nodes.llm.servers.connections import CONNECT_TIMEOUT_S
from nodes.settings import Role, Settings
from nodes.shared.providers.known import DEFAULT_BASE_URL

LOCAL_MAX_TOKENS: Mapping[Role, int] = {"assess": 512, "decompose": 512, "solve": 1_024, "review": 1_024}
"""Of the embedded model's reply, by what it is for: sixteen parts in words of their own take some 400 tokens, and a
plan that repeats a line goes on to the limit."""
VARIED_TEMPERATURE = 0.7
"""Of the embedded model where replies to the same must differ; else it is asked at 0."""
_LIMITS = ("max_tokens", "max_completion_tokens")
"""What the reply's limit is called: most servers know the first name, OpenAI's reasoning models the second only."""

_EFFORT_WORDS = frozenset({"reasoning", "thinking"})
"""What Ollama calls an effort when it refuses one: `invalid reasoning value`, `does not support thinking`."""


class Wish(NamedTuple):
    """A field of a request that a server may refuse."""

    field: str
    value: Any
    setting: str
    """The setting that it comes from."""

    @property
    def name(self) -> str:
        """What is remembered of it when it is refused: of an effort its value, since models differ in those."""
        return f"{self.field}={self.value}" if self.setting == "reasoning_effort" else self.field


def wishes(endpoint: Endpoint, settings: Settings, role: Role, *, varied: bool = False) -> list[Wish]:
    """List what the settings say of a request; the reply's limit under both of its names, the likelier one first.

    Args:
        endpoint: Who is asked.
        settings: The run's settings.
        role: What for.
        varied: Whether the same is asked beside it or was before, so that the replies must differ.
    """
    local = endpoint.provider == "local"
    own = (VARIED_TEMPERATURE if varied else 0.0) if local else None
    temperature = own if settings.temperature is None else settings.temperature
    max_tokens = LOCAL_MAX_TOKENS[role] if local and settings.max_tokens is None else settings.max_tokens
    effort = None if local else settings.effort_for(role)
    newer = endpoint.base_url == DEFAULT_BASE_URL["openai"]
    wished = [
        Wish("temperature", temperature, "temperature"),
        Wish("top_p", settings.top_p, "top_p"),
        Wish("seed", settings.seed, "seed"),
        Wish("reasoning_effort", effort, "reasoning_effort"),
        *(Wish(name, max_tokens, "max_tokens") for name in (_LIMITS[::-1] if newer else _LIMITS)),
        *(Wish(name, value, f"extra_body.{name}") for name, value in (settings.extra_body or {}).items()),
    ]
    return [wish for wish in wished if wish.value is not None]


class Form(NamedTuple):
    """How a request is put, beside its messages."""

    sent: tuple[Wish, ...]
    left_out: tuple[str, ...]
    """Settings that are not sent, since the server refuses them."""
    extra: Mapping[str, Any]
    """More fields for its body."""

    def options(self, *, timeout: float) -> dict[str, Any]:
        """Return the options of one request, which may take so many seconds."""
        sampling = {wish.field: wish.value for wish in self.sent if wish.setting == "temperature"}
        # As they are: the client would rename some of them.
        body = {wish.field: wish.value for wish in self.sent if wish.setting != "temperature"} | dict(self.extra)
        limit = httpx2.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT_S))
        return {"timeout": limit, **sampling} | ({"extra_body": body} if body else {})


def form_request(
    wished: Sequence[Wish],
    refused: Collection[str],
    profile: Mapping[str, Any] | None,
    extra: Mapping[str, Any],
    takes: Collection[str] | None = None,
) -> Form:
    """Choose what is sent: each setting once, and nothing that the server is known to refuse.

    Args:
        wished: What the settings say.
        refused: What the server has refused, by the names of the wishes.
        profile: What LangChain knows of the model, if anything.
        extra: More fields for the request's body.
        takes: The fields that can be passed on at all; `None` for any.
    """
    known = {"temperature"} if profile and profile.get("temperature") is False else set()
    sent: dict[str, Wish] = {}
    for wish in wished:
        if wish.name not in refused and wish.field not in known and (takes is None or wish.field in takes):
            sent.setdefault(wish.setting, wish)
    left_out = dict.fromkeys(wish.setting for wish in wished if wish.setting not in sent)
    return Form(tuple(sent.values()), tuple(left_out), extra)


def find_refused(error: ModelError, sent: Collection[Wish]) -> Wish | None:
    """Return which field a server refused, as it names it beside its words, else in them; `None` for none of ours.

    OpenAI names it in `param` ("unsupported_parameter", "unsupported_value"), others in their words only.
    """
    if error.kind != "bad_request":
        return None
    words = {error.param} if error.param else set(re.findall(r"\w+", str(error)))
    named = next((wish for wish in sent if wish.field in words), None)
    effort = next((wish for wish in sent if wish.setting == "reasoning_effort"), None)
    return named or (effort if words & _EFFORT_WORDS else None)

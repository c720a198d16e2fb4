"""What a server tells of itself: how much it works on at once, and how long its context window is."""

import asyncio
from typing import Any, NamedTuple

import httpx2

from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.replies.wire import count
from nodes.llm.servers.ask_json import ask_json

FACTS_TIMEOUT_S = 2.0
"""Seconds for the whole answer; it delays the first call only, and once in a process."""
MAX_FACTS_BYTES = 1_000_000
"""Bytes of the answer; a server that tells more tells nothing."""


class ServerFacts(NamedTuple):
    """What a server told."""

    answered: bool
    """Whether it answered at all."""
    slots: int | None
    """Requests that it works on at once (llama.cpp)."""
    window: int | None
    """Tokens of prompt and reply together (llama.cpp, vLLM and what follows it)."""


async def ask_server(endpoint: Endpoint, http: httpx2.AsyncClient) -> ServerFacts:
    """Ask a server of one's own; llama.cpp tells at `/props`, vLLM at `/v1/models` (`max_model_len`)."""
    props, models = await asyncio.gather(
        _get(endpoint, http, endpoint.base_url.removesuffix("/v1") + "/props"),
        _get(endpoint, http, endpoint.base_url + "/models"),
    )
    slots = _field(props, "total_slots")
    window = _field(_field(props, "default_generation_settings"), "n_ctx")
    listed = _field(models, "data")
    for model in listed if isinstance(listed, list) else []:
        if _field(model, "id") == endpoint.name:
            window = window or _field(model, "max_model_len")
    return ServerFacts(props is not None, _positive(slots), _positive(window))


async def _get(endpoint: Endpoint, http: httpx2.AsyncClient, url: str) -> Any:
    return await ask_json(endpoint, http, url, seconds=FACTS_TIMEOUT_S, most_bytes=MAX_FACTS_BYTES)


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _positive(value: Any) -> int | None:
    return count(value) or None if isinstance(value, int) else None

"""What a request says beside its messages: how to sample, how long its reply may be, how long to wait."""

from typing import Any

import httpx2

from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.servers.connections import CONNECT_TIMEOUT_S
from nodes.settings import Settings
from nodes.shared.providers import DEFAULT_BASE_URL

LOCAL_MAX_TOKENS = 1_024


def call_options(endpoint: Endpoint, settings: Settings, *, timeout: float) -> dict[str, Any]:
    """Return the options of one request: sampling, the reply's limit, the HTTP time limit in seconds."""
    local = endpoint.provider == "local"
    options: dict[str, Any] = {"timeout": httpx2.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT_S))}
    temperature = 0.0 if local and settings.temperature is None else settings.temperature
    if temperature is not None:
        options["temperature"] = temperature
    max_tokens = LOCAL_MAX_TOKENS if local and settings.max_tokens is None else settings.max_tokens
    if max_tokens is not None:
        # OpenAI's own models want the newer name, most other servers know only the older one.
        newer = endpoint.base_url == DEFAULT_BASE_URL["openai"]
        options["extra_body"] = {"max_completion_tokens" if newer else "max_tokens": max_tokens}
    return options

"""Chat models of LangChain's providers, made by `init_chat_model`. LangChain's packages are imported on use only."""

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any, cast

from langchain_core.language_models import BaseChatModel

from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.replies.errors import ConfigurationError
from nodes.llm.servers.any_chat import AnyChat
from nodes.shared.providers.integrations import INTEGRATIONS

_ADDRESS = ("base_url", "api_base", "endpoint", "endpoint_url")
_SAMPLING = {
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "seed": ("seed",),
    "max_tokens": ("max_tokens", "max_output_tokens", "num_predict", "max_completion_tokens"),
    "reasoning_effort": ("reasoning_effort",),
}
"""What our settings are called by chat models, the likeliest name first."""


def check_installed(provider: str) -> None:
    """Find out before the first call what is not installed.

    Raises:
        ConfigurationError: A package is missing; the message says which.
    """
    package = INTEGRATIONS[provider].package
    missing = [name for name in ("langchain", package) if importlib.util.find_spec(name.replace("-", "_")) is None]
    if missing:
        raise ConfigurationError(f"models of `{provider}` need more packages: pip install {' '.join(missing)}")


def make_chat(endpoint: Endpoint) -> AnyChat:
    """Make the chat model of an endpoint.

    Raises:
        ConfigurationError: A package is missing, the model cannot be made, or an address or a key cannot be passed on.
    """
    check_installed(endpoint.provider)
    from langchain.chat_models import init_chat_model

    integration = INTEGRATIONS[endpoint.provider]
    kind = getattr(importlib.import_module(integration.module), integration.chat_class)
    known = {name for field, info in kind.model_fields.items() for name in (field, info.alias) if name}
    access = _access(endpoint, known)
    names = {ours: next((name for name in theirs if name in known), "") for ours, theirs in _SAMPLING.items()}

    def make(sampling: Mapping[str, Any]) -> BaseChatModel:
        chosen = {names[ours]: value for ours, value in sampling.items()}
        return cast(BaseChatModel, init_chat_model(endpoint.name, model_provider=endpoint.provider, **access, **chosen))

    try:
        chat = make({})
    except Exception as error:
        raise ConfigurationError(
            f"the model `{endpoint.model}` cannot be made ({type(error).__name__}); check its name, and the variables "
            f"that {integration.package} reads its key from"
        ) from None
    return AnyChat(chat, endpoint.api_key, make=make, takes=frozenset(ours for ours, name in names.items() if name))


def _access(endpoint: Endpoint, known: set[str]) -> dict[str, Any]:
    """Say where the model is reached and with which key; the one retry policy is ours."""
    # What Google's package counts is tries.
    tries = 1 if endpoint.provider == "google_genai" else 0
    access: dict[str, Any] = {"max_retries": tries} if "max_retries" in known else {}
    if endpoint.base_url:
        field = next((name for name in _ADDRESS if name in known), None)
        if field is None:
            raise ConfigurationError(f"models of `{endpoint.provider}` take no address; leave `base_url` out for them")
        access[field] = endpoint.base_url
    if endpoint.key_env or endpoint.base_url:
        # At a named address the client must not take a key from the environment on its own.
        key = endpoint.api_key.get_secret_value()
        if "api_key" in known:
            access["api_key"] = key
        elif "client_kwargs" in known:
            access["client_kwargs"] = {"headers": {"Authorization": f"Bearer {key}"}}
        else:
            raise ConfigurationError(f"models of `{endpoint.provider}` take no key from `api_key_env`, nor an address")
    return access

"""Which endpoint answers for a model: its address, its key, and what must be installed."""

import importlib.util

from pydantic import SecretStr

from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.shared.address import sound_address
from nodes.shared.environment import environment_base_url, environment_key
from nodes.shared.providers import DEFAULT_BASE_URL, DEFAULT_KEY_ENV

_NEEDS = {"local": ("xllamacpp", "local"), "deepseek": ("langchain_deepseek", "deepseek")}


def check_configuration(settings: Settings) -> None:
    """Find out before the first call what would stop a later one.

    Raises:
        ConfigurationError: A key or an extra is missing for one of the roles.
    """
    for model in settings.models():
        provider = model.partition(":")[0]
        if provider in DEFAULT_KEY_ENV:
            _key(settings, provider, needed=_address(settings, provider) is None)
        package, extra = _NEEDS.get(provider, (None, ""))
        if package and importlib.util.find_spec(package) is None:
            raise ConfigurationError(
                f"`{provider}` needs an extra: pip install 'adaptive-parallel-reasoning[{extra}]', or choose another "
                "`model`, such as openai:gpt-5-mini with OPENAI_API_KEY set"
            )


async def resolve(settings: Settings, model: str) -> Endpoint:
    """Find the endpoint of a model; starts the embedded server if it is the one.

    Args:
        settings: The run's settings.
        model: As `provider:name`.

    Raises:
        ConfigurationError: A key or an extra is missing; the message says which and what to do.
    """
    if model == "local":
        from nodes.llm.embedded import server as local

        server = await local.running_server()
        secret = SecretStr(server.api_key)
        return Endpoint(model, "local", "local", server.base_url, secret, None, server.at_once, server.same_as)
    provider, _, name = model.partition(":")
    base_url = _address(settings, provider)
    key, key_env = _key(settings, provider, needed=base_url is None)
    return Endpoint(model, provider, name, base_url or DEFAULT_BASE_URL[provider], SecretStr(key), key_env)


def _address(settings: Settings, provider: str) -> str | None:
    """Return the address that the settings name, or the environment; `None` for the provider's own."""
    held = environment_base_url(provider)
    try:
        return settings.base_url or (sound_address(held) if held else None)
    except ValueError as error:
        raise ConfigurationError(f"{provider.upper()}_BASE_URL: {error}") from None


def _key(settings: Settings, provider: str, *, needed: bool) -> tuple[str, str | None]:
    """Read the key; servers of one's own mostly need none, so a default one may be missing there."""
    if settings.keyless:
        return "none", None
    name = settings.api_key_env or DEFAULT_KEY_ENV[provider]
    key = environment_key(name)
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigurationError(f"the environment variable {name} holds characters that no key has; set it anew")
    if key:
        return key, name
    if needed or settings.api_key_env:
        raise ConfigurationError(
            f"no API key for `{provider}`: the environment variable {name} is not set; set it, name another one "
            "with `api_key_env`, or choose `local` as `model`"
        )
    return "none", None


async def prepare(settings: Settings) -> None:
    """Start what a run will need and takes time to start: the embedded server, if any role uses it.

    Raises:
        ConfigurationError: A key or an extra is missing, or memory or disk does not suffice.
    """
    check_configuration(settings)
    if "local" in settings.models():
        from nodes.llm.embedded import server as local

        await local.running_server()

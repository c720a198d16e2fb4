"""Which endpoints answer for a role: its address, its key, and what must be installed."""

import asyncio
import importlib.util
from collections.abc import Sequence

from pydantic import SecretStr

from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.endpoints.own import Own, own_models
from nodes.llm.endpoints.price import ask_for_prices
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Seat, Servers, Settings
from nodes.shared.address import sound_addresses
from nodes.shared.environment import environment_base_url, environment_key, environment_workers
from nodes.shared.install import how_to_install
from nodes.shared.providers.integrations import INTEGRATIONS
from nodes.shared.providers.known import DEFAULT_BASE_URL, DEFAULT_KEY_ENV, OWN

_NEEDS = {"local": ("xllamacpp", "local"), "deepseek": ("langchain_deepseek", "deepseek")}


async def check_configuration(settings: Settings) -> None:
    """Find out before the first call what would stop a later one.

    Raises:
        ConfigurationError: A key or an extra is missing for one of the roles, or a price that `max_cost` needs;
            `APR_WORKERS` is no number.
    """
    try:
        environment_workers()
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    for seat in settings.seats():
        check_seat(settings, seat)
    # The published prices take a moment to load.
    if settings.max_cost is not None and (lacking := await asyncio.to_thread(ask_for_prices, settings)):
        raise ConfigurationError(lacking)


def check_seat(settings: Settings, seat: Seat) -> None:
    """Find out what would stop a call of one role.

    Raises:
        ConfigurationError: A key or an extra is missing for it.
    """
    provider = settings.model_for(seat).partition(":")[0]
    if provider in INTEGRATIONS:
        from nodes.llm.servers.integrations import check_installed

        check_installed(provider)
    if provider == OWN:
        _own(settings.model_for(seat).partition(":")[2])
    if provider in DEFAULT_KEY_ENV or provider in INTEGRATIONS:
        servers = settings.servers_for(seat)
        _key(servers, provider, needed=not _addresses(servers, provider))
    package, extra = _NEEDS.get(provider, (None, ""))
    if package and importlib.util.find_spec(package) is None:
        raise ConfigurationError(
            f"`{provider}` needs an extra: {how_to_install(extra)}, or choose another "
            "`model`, such as openai:gpt-5-mini with OPENAI_API_KEY set"
        )


async def resolve(settings: Settings, seat: Seat) -> list[Endpoint]:
    """Find the endpoints of a role, one a server; starts the embedded server if it is the one.

    Args:
        settings: The run's settings.
        seat: Whose.

    Raises:
        ConfigurationError: A key or an extra is missing; the message says which and what to do.
    """
    model = settings.model_for(seat)
    if model == "local":
        from nodes.llm.embedded import server as local

        server = await local.running_server()
        secret = SecretStr(server.api_key)
        return [
            Endpoint(model, "local", "local", server.base_url, secret, None, server.at_once, same_as=server.same_as)
        ]
    provider, _, name = model.partition(":")
    if provider == OWN:
        own = _own(name)
        return [Endpoint(model, provider, name, "", SecretStr("none"), own=own, same_as=own.kind)]
    servers = settings.servers_for(seat)
    addresses = _addresses(servers, provider)
    key, key_env = _key(servers, provider, needed=not addresses)
    return [
        Endpoint(model, provider, name, address, SecretStr(key), key_env)
        for address in addresses or [DEFAULT_BASE_URL.get(provider, "")]
    ]


def _own(name: str) -> Own:
    known = own_models()
    if name not in known:
        raise ConfigurationError(
            f"`own:{name}` is no model of this graph; build it with build_graph(models={{{name!r}: …}})"
        )
    return known[name]


def _addresses(servers: Servers, provider: str) -> Sequence[str]:
    """Return the addresses that the settings name, or the environment; none for the provider's own."""
    held = environment_base_url(provider)
    try:
        return servers.addresses or (sound_addresses(held) if held else ())
    except ValueError as error:
        raise ConfigurationError(f"{provider.upper()}_BASE_URL: {error}") from None


def _key(servers: Servers, provider: str, *, needed: bool) -> tuple[str, str | None]:
    """Read the key; servers of one's own mostly need none, so a default one may be missing there."""
    if servers.keyless and not servers.key_env:
        return "none", None
    name = servers.key_env or (
        INTEGRATIONS[provider].key_env if provider in INTEGRATIONS else DEFAULT_KEY_ENV[provider]
    )
    if not name:
        return "none", None
    key = environment_key(name)
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigurationError(f"the environment variable {name} holds characters that no key has; set it anew")
    if key:
        return key, name
    if needed or servers.key_env:
        raise ConfigurationError(
            f"no API key for `{provider}`: the environment variable {name} is not set; set it, name another one "
            f"with `{servers.key_setting}`, or choose `local` as `model`"
        )
    return "none", None


async def prepare(settings: Settings) -> None:
    """Start what a run will need and takes time to start: the embedded server, if any role uses it.

    Raises:
        ConfigurationError: A key or an extra is missing, or memory or disk does not suffice.
    """
    await check_configuration(settings)
    if "local" in settings.models():
        from nodes.llm.embedded import server as local

        await local.running_server()

"""What `apr doctor` checks: each thing that a run needs, and what to do where it is missing.

Everything heavy is imported when it is needed.
"""

import asyncio
import importlib.util
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from nodes.shared.install import how_to_install

if TYPE_CHECKING:
    from nodes.llm.servers.catalog import Catalog
    from nodes.settings import Seat, Settings

DEV_PORT = 2024
"""Where `make dev` listens."""


class Finding(NamedTuple):
    """What a check found."""

    state: str
    """`ok`, `mend` (a run would fail, or lack what was asked for) or `note`."""
    what: str
    words: str


async def find_all() -> list[Finding]:
    """Check everything; what cannot be checked without something else is left out."""
    settings, found = _settings()
    found += _variables()
    if settings:
        for seat in _one_each(settings):
            found += await _model(settings, seat)
        found += await _prices(settings)
        found += await _extras(settings)
    found.append(await _store())
    if os.environ.get("APR_ENGINE", "").strip():
        found.append(await _engine())
    found.append(_port())
    return found


def _check(what: str, ok: str, check: Callable[[], Any]) -> Finding:
    """Make a check that raises where something is wrong."""
    try:
        check()
    except ValueError as error:
        return Finding("mend", what, str(error))
    return Finding("ok", what, ok)


def _settings() -> "tuple[Settings | None, list[Finding]]":
    from pydantic import ValidationError

    from graphs.cli.config import config_file
    from nodes.settings import Settings
    from nodes.shared.refusals import say_problems

    try:
        return Settings(), [Finding("ok", "settings", f"none is wrong, in the environment or in {config_file()}")]
    except ValidationError as error:
        return None, [Finding("mend", "settings", line) for line in say_problems(error)]


def _variables() -> list[Finding]:
    from nodes.shared.environment import environment_endpoints, environment_tokens

    tokens = _check("tokens", "APR_TOKENS can be used, or is not set", environment_tokens)
    addresses = _check("endpoints", "APR_ALLOW_ENDPOINTS can be used, or is not set", environment_endpoints)
    traced = os.environ.get("LANGSMITH_TRACING", "").strip().lower() == "true"
    if traced and not os.environ.get("LANGSMITH_API_KEY", "").strip():
        why = "LANGSMITH_TRACING is on without a key: set LANGSMITH_API_KEY, or unset it"
        return [tokens, addresses, Finding("mend", "tracing", why)]
    return [tokens, addresses, Finding("ok", "tracing", "on" if traced else "off")]


def _one_each(settings: "Settings") -> "list[Seat]":
    """List the roles, one for each model at each of its servers."""
    asked = {(settings.model_for(seat), settings.servers_for(seat)): seat for seat in reversed(settings.seats())}
    return [asked[one] for one in sorted(asked, key=str)]


async def _model(settings: "Settings", seat: "Seat") -> list[Finding]:
    from nodes.llm.replies.errors import ConfigurationError
    from nodes.llm.resolve import check_seat, resolve
    from nodes.llm.servers.catalog import ask_catalog

    model = settings.model_for(seat)
    what = f"model {model}"
    try:
        check_seat(settings, seat)
        if model == "local":
            from nodes.llm.embedded.server import check_embedded

            await asyncio.to_thread(check_embedded)
            return [Finding("ok", what, "the embedded model can start")]
        endpoints = await resolve(settings, seat)
    except ConfigurationError as error:
        return [Finding("mend", what, str(error))]
    found = []
    for endpoint in endpoints:
        if not endpoint.as_openai:
            found.append(Finding("ok", what, "what it needs is installed"))
            continue
        offered = await ask_catalog(endpoint)
        if offered.problem:
            found.append(Finding("note" if offered.silent else "mend", what, offered.problem))
        elif endpoint.name not in offered.models:
            unlisted = f"{endpoint.address} does not offer it: `apr models` lists what it offers"
            found.append(Finding("mend", what, unlisted))
        else:
            found.append(Finding("ok", what, f"{endpoint.address} offers it"))
    return found


async def _prices(settings: "Settings") -> list[Finding]:
    if settings.max_cost is None:
        return []
    from nodes.llm.endpoints.price import ask_for_prices

    lacking = await asyncio.to_thread(ask_for_prices, settings)
    return [Finding("mend", "prices", lacking) if lacking else Finding("ok", "prices", "of every model are known")]


async def _extras(settings: "Settings") -> list[Finding]:
    from nodes.shared.environment import environment_redis_url

    found = []
    if environment_redis_url():
        found.append(_extra("thread cache", "redis", "redis", "APR_REDIS_URL"))
    found += _workers(shared=environment_redis_url() is not None)
    if settings.mcp_config:
        from nodes.tools.toolbox import find_toolbox

        try:
            tools = (await find_toolbox(settings)).tools
            found.append(Finding("ok", "tools", ", ".join(tools) or "the servers offer none"))
        except ValueError as error:
            found.append(Finding("mend", "tools", str(error)))
    return found


def _workers(*, shared: bool) -> list[Finding]:
    from nodes.shared.environment import environment_workers

    try:
        workers = environment_workers()
    except ValueError as error:
        return [Finding("mend", "workers", str(error))]
    if workers == 1:
        return []
    if shared:
        return [Finding("ok", "workers", f"{workers} share limits through APR_REDIS_URL")]
    return [Finding("note", "workers", f"each of {workers} keeps to its share; APR_REDIS_URL lets them share limits")]


def _extra(what: str, package: str, extra: str, variable: str) -> Finding:
    if importlib.util.find_spec(package):
        return Finding("ok", what, f"the extra `{extra}` is there")
    return Finding("mend", what, f"{variable} needs the extra `{extra}`: {how_to_install(extra)}, or unset it")


async def _store() -> Finding:
    from graphs.history.store import StoreError, open_store
    from nodes.shared.environment import environment_store

    place = environment_store()
    if place.lower() == "none":
        return Finding("ok", "saved runs", "none are saved (APR_STORE)")
    try:
        async with open_store(place):
            return Finding("ok", "saved runs", "can be written")
    except StoreError as error:
        return Finding("mend", "saved runs", f"{error}; name another place in APR_STORE, or `none`")


async def _engine() -> Finding:
    from graphs.temporal.address import EngineError, connect, read_engine

    try:
        await connect(read_engine(os.environ["APR_ENGINE"]))
    except (EngineError, ValueError) as error:
        return Finding("mend", "workers", f"{error} (APR_ENGINE)")
    return Finding("ok", "workers", "their Temporal server answers")


def _port() -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEV_PORT))
        except OSError:
            why = (
                f"port {DEV_PORT} is taken, perhaps by a server that runs already; for another: langgraph dev --port N"
            )
            return Finding("note", "server", why)
    return Finding("ok", "server", f"port {DEV_PORT} is free for make dev")


async def list_catalogs(settings: "Settings") -> "list[tuple[str, Catalog]]":
    """Return, for each provider that the settings use, what it offers.

    Raises:
        ConfigurationError: A key is missing.
    """
    from nodes.llm.resolve import resolve
    from nodes.llm.servers.catalog import ask_catalog

    seats = [seat for seat in _one_each(settings) if settings.model_for(seat) != "local"]
    found = [(seat, endpoint) for seat in seats for endpoint in await resolve(settings, seat) if endpoint.as_openai]
    places = {(endpoint.provider, endpoint.base_url): endpoint for _, endpoint in found}
    return [(endpoint.provider, await ask_catalog(endpoint)) for endpoint in places.values()]

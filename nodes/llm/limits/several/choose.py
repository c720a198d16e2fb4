"""Which limiter and ledger a process uses that is one of several."""

import platform
from typing import cast
from urllib.parse import urlsplit

from nodes.llm.endpoints.endpoint import Endpoint, fingerprint
from nodes.llm.limits.several.limiter import SharedLimiter
from nodes.llm.limits.several.link import shared_link

LOOPBACK = ("localhost", "127.0.0.1", "::1")


async def shared_limiter(endpoint: Endpoint, *, by_slots: bool) -> SharedLimiter | None:
    """Return the limiter of an endpoint that all workers share; nothing where each is to keep to its own.

    Args:
        endpoint: The endpoint; a model object of the user's own is known to this process alone.
        by_slots: Whether the server tells its slots, which all its models share.
    """
    link = None if endpoint.own else await shared_link()
    if link is None:
        return None
    key = _key(endpoint, by_slots=by_slots)
    return cast(SharedLimiter, link.limiters.get_or_make(key, lambda: SharedLimiter(link, key)))


def _key(endpoint: Endpoint, *, by_slots: bool) -> str:
    """Name an endpoint for all workers; accounts differ by the variable that holds their key, which is not in it."""
    machine = platform.node() if urlsplit(endpoint.base_url).hostname in LOOPBACK else ""
    of_model = "" if by_slots else f"{endpoint.name} {endpoint.key_env or ''}"
    return fingerprint(endpoint.provider, f"{endpoint.address} {machine} {of_model}")

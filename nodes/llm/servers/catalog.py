"""Which models a server says that it offers."""

import json
from typing import NamedTuple

import httpx2

from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.replies.errors import without_key
from nodes.shared.cleaning import one_line, storable

CATALOG_TIMEOUT_S = 10.0
"""Seconds for the whole answer."""
MAX_CATALOG_BYTES = 5_000_000
"""Bytes of the answer; a longer one is none."""
MAX_MODEL_NAME_CHARACTERS = 200
"""Of a model's name."""


class Catalog(NamedTuple):
    """What came of asking a server for its models."""

    models: list[str]
    """As the server calls them."""
    problem: str = ""
    """Why there is no list, and what to do; empty where there is one."""
    silent: bool = False
    """Whether the server answered, but keeps no such list: nothing is wrong with it."""


async def ask_catalog(endpoint: Endpoint) -> Catalog:
    """Ask a server for its models (`/models`). It costs nothing, and shows whether the server takes the key."""
    headers = {"Authorization": f"Bearer {endpoint.api_key.get_secret_value()}", "Accept-Encoding": "identity"}
    try:
        async with httpx2.AsyncClient(timeout=CATALOG_TIMEOUT_S, follow_redirects=False) as http:
            async with http.stream("GET", f"{endpoint.base_url}/models", headers=headers) as reply:
                body = b""
                async for piece in reply.aiter_raw():
                    body += piece
                    if len(body) > MAX_CATALOG_BYTES:
                        break
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        why = one_line(without_key(str(error), endpoint.api_key)) or type(error).__name__
        return Catalog([], f"{endpoint.address} cannot be reached ({why}): start the server, or check `base_url`")
    if reply.status_code in (401, 403):
        held = f"the key in {endpoint.key_env}" if endpoint.key_env else "a request without a key"
        return Catalog([], f"{endpoint.address} refuses {held} (HTTP {reply.status_code}): set another key")
    if not reply.is_success:
        silent = 400 <= reply.status_code < 500
        return Catalog([], f"{endpoint.address} lists no models (HTTP {reply.status_code})", silent)
    return _read(body, endpoint)


def _read(body: bytes, endpoint: Endpoint) -> Catalog:
    try:
        listed = json.loads(body)["data"]
        names = [one["id"] for one in listed if isinstance(one["id"], str)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Catalog([], f"{endpoint.address} lists no models in a form that is known", silent=True)
    return Catalog(
        [one_line(storable(without_key(name, endpoint.api_key)), MAX_MODEL_NAME_CHARACTERS) for name in names]
    )

"""Small requests beside those for replies: what a server tells of itself, or works out for a prompt."""

import asyncio
import json
from typing import Any

import httpx2

from nodes.llm.endpoints.endpoint import Endpoint


async def ask_json(
    endpoint: Endpoint, http: httpx2.AsyncClient, url: str, *, seconds: float, most_bytes: int, body: Any = None
) -> Any:
    """Return the JSON at an address: empty where there is none, `None` where nobody answered.

    Whatever is at the other end, and whatever it sends: what is not told is not known, and no more.

    Args:
        endpoint: Whose key is sent.
        http: The connections.
        url: The address.
        seconds: Seconds for the whole answer.
        most_bytes: Bytes of the answer; a server that tells more tells nothing.
        body: What is posted, as JSON; nothing for a GET.
    """
    # Packed replies are not asked for, since a small one may open to a large one.
    headers = {"Authorization": f"Bearer {endpoint.api_key.get_secret_value()}", "Accept-Encoding": "identity"}
    method, sent = ("GET", {}) if body is None else ("POST", {"json": body})
    try:
        async with (
            asyncio.timeout(seconds),
            http.stream(method, url, headers=headers, timeout=seconds, **sent) as reply,
        ):
            if not reply.is_success or reply.headers.get("Content-Encoding", "identity") != "identity":
                return {}
            told = b""
            async for piece in reply.aiter_raw():
                told += piece
                if len(told) > most_bytes:
                    return {}
    except Exception:
        return None
    try:
        return json.loads(told)
    except (ValueError, RecursionError):
        return {}

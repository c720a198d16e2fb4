"""How many requests a server works on at once, as llama.cpp's tells it at `/props`."""

import httpx2

from nodes.llm.endpoint import Endpoint

PATIENCE = 2.0
"""Seconds for the answer; it delays the first call only, and once in a process."""


async def slots_of(endpoint: Endpoint, http: httpx2.AsyncClient) -> tuple[bool, int | None]:
    """Ask a server for its slots.

    Returns:
        Whether it answered, and its slots if it told them.
    """
    url = endpoint.base_url.removesuffix("/v1") + "/props"
    key = endpoint.api_key.get_secret_value()
    try:
        reply = await http.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE)
        told = reply.json().get("total_slots") if reply.is_success else None
    except (httpx2.HTTPError, OSError):
        return False, None
    except (ValueError, AttributeError):  # an answer, but none of llama.cpp's
        return True, None
    return True, told if isinstance(told, int) and told > 0 else None

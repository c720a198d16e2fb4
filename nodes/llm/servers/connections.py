"""Connections to an address, shared by the clients of its models and closed when none of them is in use any more."""

import asyncio
import os
import ssl
import weakref
from functools import lru_cache

import httpx2
from openai import DefaultAioHttpClient

from nodes.llm.endpoints.bounded import ACCEPTED, bound
from nodes.llm.endpoints.endpoint import Endpoint

CONNECT_TIMEOUT_S = 10.0
"""Seconds to open a connection; a server that is there answers a great deal sooner."""
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that name other certificates than the system's."""

_closing: set[asyncio.Task[None]] = set()


class Connection:
    """The connections to one address. Whoever holds this may use them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, http: httpx2.AsyncClient) -> None:
        """Close a client of HTTP when this one has gone."""
        self.http = http
        weakref.finalize(self, _close_soon, loop, http)


Connections = weakref.WeakValueDictionary[tuple[str, str], Connection]
"""By provider and address."""


async def open_connection(known: Connections, endpoint: Endpoint) -> Connection:
    """Return the connections to an endpoint's address, opened if there are none.

    Args:
        known: Those of this event loop.
        endpoint: The endpoint.
    """
    key = (endpoint.provider, endpoint.base_url)
    connection = known.get(key)
    if connection is None:
        # In a thread: building a client reads certificates from disk.
        http = await asyncio.to_thread(_http_client, endpoint)
        connection = known[key] = Connection(asyncio.get_running_loop(), http)
    return connection


def _close_soon(loop: asyncio.AbstractEventLoop, http: httpx2.AsyncClient) -> None:
    if not loop.is_closed() and not http.is_closed:
        loop.call_soon_threadsafe(_close, loop, http)


def _close(loop: asyncio.AbstractEventLoop, http: httpx2.AsyncClient) -> None:
    task = loop.create_task(http.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


def _http_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    # aiohttp's connection pool stays cheap with hundreds of calls in flight, httpx's does not.
    return DefaultAioHttpClient(
        timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S),
        # A redirect would take the question, and perhaps the key, to where nobody has said that it may go.
        follow_redirects=False,
        headers={"Accept-Encoding": ACCEPTED},
        event_hooks={"response": [bound]},
        verify=_certificates(endpoint),
        trust_env=_is_users(endpoint),
    )


def blocking_client(endpoint: Endpoint) -> httpx2.Client:
    """Return what a client of LangChain's has for calls that block, of which we make none; else it makes its own."""
    return _blocking_client(_certificates(endpoint))


def _is_users(endpoint: Endpoint) -> bool:
    """Tell whether the user's proxies and certificates are for this one; the embedded server is never behind them."""
    return endpoint.provider != "local"


def _certificates(endpoint: Endpoint) -> ssl.SSLContext:
    return _read_certificates(_is_users(endpoint), *(os.environ.get(name) for name in CERTIFICATES))


# Once for all addresses, since it takes longer than all else of a client.
@lru_cache(maxsize=4)
def _read_certificates(of_user: bool, *_: str | None) -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=of_user)


@lru_cache(maxsize=4)
def _blocking_client(certificates: ssl.SSLContext) -> httpx2.Client:
    return httpx2.Client(verify=certificates, trust_env=False)

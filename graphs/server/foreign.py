"""What a foreign web page could send is refused, as long as no tokens are configured.

A browser lets every page send requests to this machine, in its user's name, and some without asking ahead. They show by
where they come from, by the name they were sent to (a page may point its own name at this machine), and by what kind of
body they have.
"""

import ipaddress
import json
import os

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from graphs.server.refused import refuse
from nodes.shared.environment import environment_hosts, environment_tokens

STUDIO = ("https://smith.langchain.com", "https://eu.smith.langchain.com")
"""Pages that may ask where the server's configuration (`http.cors`) names none."""


def origins() -> frozenset[str]:
    """List the pages that may ask the server, as its configuration names them."""
    cors = json.loads(os.environ.get("LANGGRAPH_HTTP") or "{}").get("cors") or {}
    return frozenset(cors.get("allow_origins") or STUDIO) - {"*"}


def refusal(scope: Scope) -> tuple[int, str] | None:
    """Return the status and the reason with which a request is refused; `None` for one that may be let through."""
    headers = Headers(scope=scope)
    host, origin = headers.get("host", "").lower(), headers.get("origin")
    if not _own(host):
        return 403, f"`{host}` is no name of this server: list it in APR_ALLOW_HOSTS, or set APR_TOKENS"
    if scope.get("method") == "OPTIONS":  # answered without doing anything
        return None
    if origin is not None and origin not in origins() and origin.lower() not in (f"http://{host}", f"https://{host}"):
        return 403, f"the page {origin} may not use this server: list it under http.cors in langgraph.json"
    body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        return 415, "a body must be sent as application/json"
    return None


def _own(host: str) -> bool:
    """Whether a Host header names this machine itself, at any port, or a name that the operator lists."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name == "localhost" or {name, host} & environment_hosts():
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


class NoForeignPages:
    """Refuses what a foreign page could send, whatever the route."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an app."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        # The server asks itself, too; no request from outside can set that path.
        inside = str(scope.get("root_path", "")).startswith("/noauth")
        asked = scope["type"] in ("http", "websocket") and not inside and not environment_tokens()
        why = refusal(scope) if asked else None
        if why is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": why[1][:120]})
        else:
            await refuse(scope, *why)(scope, receive, send)

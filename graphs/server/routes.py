"""What the server of `langgraph dev` serves beside the API: a thread's last run as a page, and stopping a part of it.

`GET /report/{thread_id}` shows the page. `POST /threads/{thread_id}/stop/{part}` stops one thread of the plan, such as
`T2`, in the run at work on a LangGraph thread. `/v1` is OpenAI's API (`graphs.server.v1`).
"""

import asyncio
from typing import Any

from langgraph_sdk import get_client
from langgraph_sdk.errors import APIStatusError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from graphs.page.page import POLICY, page
from graphs.server.auth import TokenNeeded, may_read
from graphs.server.foreign import NoForeignPages
from graphs.server.v1.routes import ROUTES
from nodes.settings import Settings
from nodes.shared.environment import environment_endpoints, environment_tokens
from nodes.state import Solution
from nodes.threads.stopping import stop_thread_of

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


async def report(request: Request) -> Response:
    """Show the page of a thread's last run to who may read it."""
    id, thread = request.path_params["thread_id"], await _find_thread(request)
    if isinstance(thread, Response):
        return thread
    if thread["status"] == "busy":
        return _plain(f"{id}: still running; ask again when it has finished", 409)
    values = thread.get("values") or {}
    values = values.get("solution") or values  # of a conversation, the latest answer
    if not values.get("report"):
        return _plain(f"{id}: no run of this thread has finished", 409)
    return HTMLResponse(await asyncio.to_thread(_page, values), headers=HEADERS)


async def stop(request: Request) -> Response:
    """Stop one thread of the plan, for who may read the run."""
    id, part, thread = request.path_params["thread_id"], request.path_params["part"], await _find_thread(request)
    if isinstance(thread, Response):
        return thread
    if not stop_thread_of(thread["thread_id"], part):
        return _plain(f"{id}: no thread {part} is at work in this process", 404)
    return _plain(f"{id}: {part} stops", 200)


async def _find_thread(request: Request) -> Any:
    """Return the LangGraph thread that a request names, or the refusal for who may not read it."""
    id = request.path_params["thread_id"]
    async with get_client() as api:
        try:
            thread: Any = await api.threads.get(id)
        except APIStatusError as error:
            known = {401: "not allowed", 403: "not allowed", 404: "no such thread", 422: "no thread's id"}
            why = known.get(error.status_code, "the thread cannot be read")
            return _plain(f"{id}: {why}", error.status_code)
    # The API does not ask who reads from within this process.
    if not may_read(request.headers.get("authorization"), thread.get("metadata") or {}):
        return _plain(f"{id}: no such thread", 404)
    return thread


def _page(values: dict[str, Any]) -> str:
    return page(Solution.model_validate(values))


def _plain(text: str, status: int) -> Response:
    return PlainTextResponse(f"{text}\n", status, headers=HEADERS)


# What is wrong in the environment is said at the start.
environment_tokens()
environment_endpoints()
Settings()
app = Starlette(
    routes=[
        Route("/report/{thread_id}", report),
        Route("/threads/{thread_id}/stop/{part}", stop, methods=["POST"]),
        *ROUTES,
    ],
    middleware=[Middleware(NoForeignPages), Middleware(TokenNeeded)],
)

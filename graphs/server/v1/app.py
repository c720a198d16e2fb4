"""OpenAI's API as a server of its own, for `apr serve`."""

import socket

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from graphs.server.auth import TokenNeeded
from graphs.server.foreign import NoForeignPages
from graphs.server.refused import V1, error_of
from graphs.server.v1.routes import ROUTES

ADDRESS = "127.0.0.1"
STOP_TIMEOUT_S = 5
"""Seconds that open requests have to end when the server is stopped; then their runs are cancelled."""


async def _unknown(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    why = f"there is nothing here; the API is under {V1}" if status == 404 else "the request cannot be answered"
    return JSONResponse(error_of(why, status), status)


app = Starlette(
    routes=ROUTES,
    middleware=[Middleware(NoForeignPages), Middleware(TokenNeeded)],
    exception_handlers={HTTPException: _unknown},
)


def open_port(port: int, host: str = ADDRESS) -> socket.socket:
    """Take a port of this machine.

    Args:
        port: Its number; 0 for any that is free.
        host: The address to listen on.

    Raises:
        OSError: It is taken, or the address is none of this machine.
    """
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError:
        opened.close()
        raise
    return opened


def serve(opened: socket.socket) -> None:
    """Serve until the process is told to stop."""
    settings = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=STOP_TIMEOUT_S)
    uvicorn.Server(settings).run([opened])

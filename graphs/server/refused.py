"""How a request is refused: in the words of the API that it asked."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Scope

V1 = "/v1"
"""Where OpenAI's API is."""


def refuse(scope: Scope, status: int, why: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the response that refuses a request."""
    path = str(scope.get("path", ""))
    body = error_of(why, status) if path == V1 or path.startswith(f"{V1}/") else {"detail": why}
    return JSONResponse(body, status, headers)


def error_of(why: str, status: int, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Write an error as OpenAI's API does."""
    kind = "server_error" if status >= 500 else "authentication_error" if status == 401 else "invalid_request_error"
    return {"error": {"message": why, "type": kind, "param": param, "code": code}}

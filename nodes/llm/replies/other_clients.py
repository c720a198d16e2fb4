"""What other clients raise: which status a server gave, or what broke, by attributes and classes and never by words."""

import asyncio
import email.utils
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from nodes.llm.replies.codes import error_in, status_in
from nodes.llm.replies.errors import Kind

_STATUS = ("status_code", "http_status", "status", "code")
"""Attributes in which clients keep the status of a reply."""


class Told(NamedTuple):
    """What an error tells."""

    status: int | None
    body: Mapping[str, Any]
    """The error object that the server sent; empty where it is not known."""
    wait: float | None
    """Seconds that the server asked to wait."""
    broke: tuple[Kind, str] | None
    """What broke where there is no status, and in words."""


def tell(error: BaseException) -> Told:
    """Read an error and what it came of."""
    body: Mapping[str, Any] = {}
    status: int | None = None
    wait: float | None = None
    broke: tuple[Kind, str] | None = None
    for one in _chain(error):
        body = body or _body(one)
        status = status or _status(one) or (status_in(body) if body else None)
        headers = getattr(getattr(one, "response", None), "headers", None)
        if wait is None and isinstance(headers, Mapping):
            wait = retry_after(headers.get("retry-after"))
        broke = broke or _broken(one)
    return Told(status, body, wait, broke)


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    held = [getattr(holder, name, None) for holder in (error, response) for name in _STATUS]
    if isinstance(response, Mapping):  # botocore
        held.append(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    return next((int(one) for one in held if isinstance(one, int) and 400 <= one < 600), None)


def _body(error: BaseException) -> Mapping[str, Any]:
    body = getattr(error, "body", None) or getattr(error, "details", None)
    return (error_in(body, {}) or {}) if isinstance(body, Mapping) else {}


def _broken(error: BaseException) -> tuple[Kind, str] | None:
    httpx = sys.modules.get("httpx")
    late: tuple[type[BaseException], ...] = (TimeoutError, *((httpx.TimeoutException,) if httpx else ()))
    closed: tuple[type[BaseException], ...] = (ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError)
    closed += (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) if httpx else ()
    if isinstance(error, late):
        return "timed_out", "did not answer in time"
    if isinstance(error, closed):
        return "dropped", "broke off the connection"
    if isinstance(error, OSError) or (httpx and isinstance(error, httpx.TransportError)):
        return "unreachable", "cannot be reached"
    if isinstance(error, TypeError | NotImplementedError):
        return "bad_request", "cannot be asked in this way"
    return None


def retry_after(value: str | None) -> float | None:
    """Read a Retry-After header, in seconds from now; it holds seconds or an HTTP date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None

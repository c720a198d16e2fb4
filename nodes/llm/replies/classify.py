"""What a client raised, as an error of ours that says what can be done about it."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import httpx2
import openai
from pydantic import SecretStr

from nodes.llm.endpoints.bounded import ReplyTooLarge
from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.replies.codes import error_in, not_this_way, status_in, too_long, wait_in, words_of
from nodes.llm.replies.errors import CallFailed, ErrorInside, ModelError, Unended, without_key
from nodes.llm.replies.other_clients import retry_after, tell
from nodes.shared.cleaning import one_line, storable
from nodes.shared.masking import mask

_EXCERPT_CHARACTERS = 300
"""Characters of a server's words that a message repeats."""


def classify(error: Exception, endpoint: Endpoint) -> ModelError:
    """Turn whatever a client raised into a `ModelError` that says what to do.

    Args:
        error: What the client library raised.
        endpoint: Who was asked; its key is kept out of the message.
    """
    if isinstance(error, ModelError):
        return error
    if isinstance(error, CallFailed):
        error = error.error
    if not endpoint.as_openai:
        return _from_other(error, endpoint)
    if isinstance(error, openai.APIStatusError):
        body = _error_object(error.body)
        wait = retry_after(error.response.headers.get("retry-after"))
        # Of a body that has no `error`, such as FastAPI's, the client tells the status only.
        silent = error.message == f"Error code: {error.status_code}" or isinstance(error.body, list)
        message = words_of(body or error.body) if silent and error.body else error.message
        return _from_status(error.status_code, message, body, endpoint, wait)
    if isinstance(error, ErrorInside):
        return _from_inside(error.said, endpoint)
    if isinstance(error, openai.APIError) and not isinstance(error, _WRONG):  # in the middle of a stream
        said = error.body if isinstance(error.body, Mapping) else {"message": str(error.body or error.message)}
        return _from_inside(said, endpoint)
    return _from_transport(error, endpoint)


def _error_object(body: object) -> Mapping[str, Any]:
    """Return the object of a body that says what is wrong; Gemini's servers send it in a list."""
    if isinstance(body, list):
        first = body[0] if body and isinstance(body[0], Mapping) else {}
        return error_in(first, {}) or {}
    return body if isinstance(body, Mapping) else {}


def _from_other(error: Exception, endpoint: Endpoint) -> ModelError:
    """Read what another client raised: by its status, or by what broke; no words of it decide."""
    told = tell(error)
    if told.status:
        return _from_status(
            told.status, words_of(told.body) if told.body else str(error), told.body, endpoint, told.wait
        )
    said = f"{type(error).__name__}: {_excerpt(str(error), endpoint.api_key)}"
    kind, words = told.broke or ("server_error", "failed")
    return ModelError(kind, f"`{endpoint.model}` at {endpoint.address} {words} ({said})", retry_after=told.wait)


_WRONG = (openai.APIResponseValidationError, openai.APIConnectionError)


def _from_inside(said: Mapping[str, Any], endpoint: Endpoint) -> ModelError:
    """Read an error object as if its code had been the status; without one it is a fault of the server's."""
    words = words_of(said)
    status = status_in(said) or (400 if too_long(None, words) else 500)
    return _from_status(status, words, said, endpoint, None)


def _from_transport(error: Exception, endpoint: Endpoint) -> ModelError:
    address, key, root = endpoint.address, endpoint.api_key, _root(error)
    if isinstance(root, Unended):
        return ModelError("dropped", f"the reply of {address} broke off (no finish reason, and no end of the stream)")
    if isinstance(root, ReplyTooLarge):
        return ModelError("malformed", f"`{endpoint.model}` at {address} was broken off: {root}")
    # The HTTP transport reports refused and dropped connections as timed out, too.
    broken = isinstance(root, aiohttp.ClientConnectionError | OSError) and not isinstance(root, TimeoutError)
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException | TimeoutError) and not broken:
        return ModelError("timed_out", f"`{endpoint.model}` at {address} did not answer in time; check `base_url`")
    said = f"{type(root).__name__}: {_excerpt(str(root), key)}"
    cure = "check `base_url`, which usually ends in /v1"
    if isinstance(root, httpx2.TooManyRedirects):
        return ModelError("not_found", f"{address} leads nowhere ({said}); {cure}")
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError | ConnectionError):
        cause = str(root) or type(root).__name__
        if isinstance(root, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | ConnectionResetError):
            return ModelError("dropped", f"{address} broke off the connection ({_excerpt(cause, key)})")
        return ModelError(
            "unreachable",
            f"cannot reach {address} ({_excerpt(cause, key)}); check that the server runs and that `base_url` is right",
        )
    return ModelError("bad_reply", f"{address} did not answer as an OpenAI-compatible chat server ({said}); {cure}")


def _root(error: BaseException) -> BaseException:
    while error.__cause__:
        error = error.__cause__
    return error


def _from_status(
    status: int, message: str, body: Mapping[str, Any], endpoint: Endpoint, wait: float | None
) -> ModelError:
    """Say what a status means.

    Args:
        status: The reply's, or the one that stands in it.
        message: What the server says.
        body: The error object.
        endpoint: Who was asked.
        wait: Seconds that the server asked to wait.
    """
    said, address, model = _excerpt(message, endpoint.api_key), endpoint.address, endpoint.model
    inner, wait = status_in(body), wait_in(body) if wait is None else wait
    if 300 <= status < 400:
        cure = "which is not followed, since the question and the key would go there; check `base_url`"
        return ModelError("bad_reply", f"{address} sends requests on to another address (HTTP {status}), {cure}")
    if status in (401, 403):
        # The server's own words are left out: some repeat a part of the key.
        held = f"the key in {endpoint.key_env}" if endpoint.key_env else "a request without a key"
        return ModelError("unauthorized", f"{address} refused {held} (HTTP {status}); set a valid key")
    if status == 404 and not not_this_way(said):
        cure = "check `model` and `base_url`, which usually ends in /v1"
        return ModelError("not_found", f"{address} knows no model or path for `{model}` (HTTP 404): {said}; {cure}")
    if status == 402 or (status == 429 and inner == 402):
        return ModelError(
            "quota", f"the account at {address} has no quota left (HTTP {status}): {said}; add credit to it"
        )
    if too_long(413 if inner == 413 and status < 500 else status, said):
        return ModelError(
            "context_length",
            f"the prompt does not fit the context window of `{model}` at {address}; ask less at once, or choose a "
            f"`model` with a longer one: {said}",
        )
    if status == 429:
        return ModelError("rate_limited", f"{address} limits the rate of requests (HTTP 429): {said}", retry_after=wait)
    if status in (503, 529):
        return ModelError("overloaded", f"{address} is overloaded (HTTP {status}): {said}", retry_after=wait)
    if status != 501 and (status >= 500 or status in (408, 409)):
        return ModelError("server_error", f"{address} failed (HTTP {status}): {said}", retry_after=wait)
    named = body.get("param")
    param = named if isinstance(named, str) else ""
    return ModelError("bad_request", f"{address} refused the request (HTTP {status}): {said}", param=param)


def _excerpt(text: str, key: SecretStr) -> str:
    # Masked before it is shortened, since half a key would not be known as one; far beyond the excerpt nothing matters.
    flat = one_line(storable(mask(without_key(text[: 20 * _EXCERPT_CHARACTERS], key))))
    return flat if len(flat) <= _EXCERPT_CHARACTERS else flat[:_EXCERPT_CHARACTERS] + " …"

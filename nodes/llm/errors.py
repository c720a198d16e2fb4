"""Why a model gave no usable reply, told apart by what can be done about it."""

import asyncio
import email.utils
import time
from typing import Literal

import httpx2
import openai

Kind = Literal[
    "timed_out",
    "unreachable",
    "rate_limited",
    "server_error",
    "unauthorized",
    "not_found",
    "bad_request",
    "context_length",
    "bad_reply",
    "empty",
    "truncated",
    "refused",
    "malformed",
]
RETRYABLE: frozenset[Kind] = frozenset({"unreachable", "rate_limited", "server_error", "empty"})
"""What another try may mend. A wrong key or a wrong request stays wrong."""
HOPELESS: frozenset[Kind] = frozenset({"unreachable", "unauthorized", "not_found", "bad_reply"})
"""What holds for every request to that model alike."""

_EXCERPT = 300


class ConfigurationError(ValueError):
    """The run cannot start as it is set up; the message says what to change."""


class ModelError(Exception):
    """A call that gave no usable reply.

    Attributes:
        kind: What went wrong.
        retry_after: Seconds that the server asked to wait, if it did.
    """

    def __init__(self, kind: Kind, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.retry_after = retry_after

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed if sent again."""
        return self.kind in RETRYABLE

    @property
    def hopeless(self) -> bool:
        """Whether every other request to the same model will fail alike."""
        return self.kind in HOPELESS


def classify(error: Exception, *, model: str, address: str, key_env: str | None) -> ModelError:
    """Turn whatever a client raised into a `ModelError` that says what to do.

    Args:
        error: What the client library raised.
        model: The model asked, as `provider:name`.
        address: The base URL asked.
        key_env: Name of the variable that held the key.
    """
    if isinstance(error, ModelError):
        return error
    if isinstance(error, openai.APIStatusError):
        return _from_status(error, model=model, address=address, key_env=key_env)
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException | asyncio.TimeoutError):
        return ModelError("timed_out", f"`{model}` at {address} did not answer in time")
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError | ConnectionError):
        cause = str(error.__cause__ or error) or type(error).__name__
        return ModelError(
            "unreachable",
            f"cannot reach {address} ({_excerpt(cause)}); check that the server runs and that `base_url` is right",
        )
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIResponseValidationError):
        return ModelError("server_error", f"`{model}` at {address} broke off its reply: {_excerpt(error.message)}")
    return ModelError(
        "bad_reply",
        f"{address} did not answer as an OpenAI-compatible chat server ({type(error).__name__}: "
        f"{_excerpt(str(error))}); check `base_url`, which usually ends in /v1",
    )


def _from_status(error: openai.APIStatusError, *, model: str, address: str, key_env: str | None) -> ModelError:
    status, said = error.status_code, _excerpt(error.message)
    if status in (401, 403):
        # The server's own words are left out: some repeat a part of the key.
        held = f"the key in {key_env}" if key_env else "a request without a key"
        return ModelError("unauthorized", f"{address} refused {held} (HTTP {status}); set a valid key")
    if status == 404 and "support" not in said.lower():  # a router's 404 may mean a feature, not the model
        return ModelError("not_found", f"{address} knows no model or path for `{model}` (HTTP 404): {said}")
    if status == 429:
        return ModelError(
            "rate_limited",
            f"{address} limits the rate of requests (HTTP 429): {said}",
            retry_after=retry_after(error.response.headers.get("retry-after")),
        )
    if status >= 500 or status in (408, 409):
        return ModelError(
            "server_error",
            f"{address} failed (HTTP {status}): {said}",
            retry_after=retry_after(error.response.headers.get("retry-after")),
        )
    if "context" in said.lower() and any(word in said.lower() for word in ("length", "window", "size", "token")):
        return ModelError("context_length", f"the prompt does not fit the context window of `{model}`: {said}")
    return ModelError("bad_request", f"{address} refused the request (HTTP {status}): {said}")


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


def _excerpt(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _EXCERPT else flat[:_EXCERPT] + " …"

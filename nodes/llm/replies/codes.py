"""What servers call their errors, in a status, a code or words (pure)."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

STATUS_CODES: dict[int, tuple[str, ...]] = {
    400: ("invalid_request_error", "invalid_argument", "validation_error", "failed_precondition"),
    401: ("authentication_error", "invalid_api_key", "unauthenticated", "invalid_authentication"),
    402: ("insufficient_quota", "insufficient_balance", "billing_error", "billing_hard_limit_reached", "no_credits"),
    403: ("permission_error", "permission_denied"),
    404: ("not_found_error", "model_not_found"),
    413: ("request_too_large", "context_length_exceeded", "exceed_context_size_error", "context_window_exceeded"),
    429: (
        *("rate_limit_exceeded", "rate_limit_error", "rate_limit", "rate_limited", "rate_limit_reached_error"),
        *("resource_exhausted", "throttling", "throttling_exception", "throttling_error", "engine_overloaded_error"),
    ),
    500: ("server_error", "api_error", "internal", "internal_error", "server_exception", "unknown"),
    503: ("unavailable", "overloaded", "overloaded_error", "server_overloaded", "model_overloaded", "server_busy"),
    504: ("deadline_exceeded", "timeout", "timeout_error"),
}
"""Words that stand for an HTTP status, beside the statuses' own names (`too_many_requests`)."""
FIELDS = ("code", "status", "status_code", "statusCode", "error_code", "type", "object")
"""Where an error object says what it is, the most telling first."""
SAID = ("message", "msg", "detail", "error_msg", "error_message", "status_msg")
"""Where an error object says it in words."""
TOO_LONG: tuple[tuple[str, ...], ...] = (
    ("context", "length"),
    ("context", "window"),
    ("context", "size"),
    ("context", "token"),
    ("prompt", "too long"),
    ("input", "too long"),
    ("input token", "exceed"),
    ("input length", "exceed"),
    ("input length", "should be"),
    ("prompt token", "exceed"),
    ("sequence length", "exceed"),
    ("too many tokens",),
    ("inputs", "tokens", "must be <="),
    ("reduce the length",),
)
"""Words that, all of a line together, say that a prompt is too long."""
NOT_THIS_WAY_WORDS = ("support", "parameter", "schema", "response_format", "tool")
"""Words of a 404 that means a way of asking, as a router says it, and not the model or the path."""
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s", re.ASCII)
"""A duration as Protocol Buffers writes it in JSON."""


def _plain(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())


_STATUSES = {_plain(status.name): status.value for status in HTTPStatus if status >= 400}
_STATUSES |= {_plain(word): status for status, words in STATUS_CODES.items() for word in words}


def status_in(error: Mapping[str, Any]) -> int | None:
    """Return the HTTP status that an error object stands for; `None` where it does not say."""
    return next(_statuses(error), None)


def _statuses(error: Mapping[str, Any]) -> Iterator[int]:
    for name in FIELDS:
        said = error.get(name)
        if isinstance(said, str) and said.strip().isdecimal():
            said = int(said) if len(said) < 9 else None
        if isinstance(said, int) and 400 <= said < 600:
            yield said
        elif isinstance(said, str):
            # Of `Throttling.RateQuota` the first word is the kind.
            yield from filter(None, (_STATUSES.get(_plain(word)) for word in (said, said.partition(".")[0])))


def wait_in(error: Mapping[str, Any]) -> float | None:
    """Return the seconds for which an error object asks to be left alone, as Google's do (google.rpc.RetryInfo)."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, Mapping) else None
        if isinstance(delay, str) and (found := _SECONDS.fullmatch(delay)):
            return float(found[1])
    return None


def words_of(error: Any) -> str:
    """Return what an error object says to people."""
    return (_read_words(error) if isinstance(error, Mapping) else str(error)) or str(error)


def _read_words(error: Mapping[str, Any]) -> str:
    return next((said for name in SAID if isinstance(said := error.get(name), str) and said), "")


def error_in(data: Mapping[str, Any], choice: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the error that a reply holds, wherever its server puts it.

    Args:
        data: The reply, or an object of a stream.
        choice: The first of its choices; empty where it has none.
    """
    for holder in (data, choice):
        error = holder.get("error") or holder.get("errors")
        error = error[0] if isinstance(error, list) else error
        if isinstance(error, Mapping) and any(error.values()):
            return dict(error)
        if error and not isinstance(error, Mapping):
            told = {name: holder[name] for name in (*FIELDS, *SAID) if name in holder}
            words = ["" if error is True else str(error), _read_words(told)]
            return told | {"message": ": ".join(filter(None, words)) or str(dict(holder))}
    if choice:
        return None
    inner = data.get("base_resp")
    bare = inner if isinstance(inner, Mapping) else data
    return dict(bare) if _read_words(bare) and not any(bare.get(name) in _FINE for name in FIELDS) else None


_FINE = (0, 200, "0", "200")
"""Codes beside words that are no error's."""


def too_long(status: int | None, said: str) -> bool:
    """Whether an error says that the prompt does not fit the context window."""
    if status == 413:
        return True
    low = said.casefold()
    if status == 429:  # more than all the tokens of a minute: no waiting helps
        return "request too large" in low
    return status in (None, 400, 422) and any(all(word in low for word in line) for line in TOO_LONG)


def not_this_way(said: str) -> bool:
    """Whether a 404 refuses a way of asking."""
    return any(word in said.casefold() for word in NOT_THIS_WAY_WORDS)

"""How often a request is tried again, and how long is waited before (pure)."""

from collections.abc import Sequence

import tenacity

from nodes.llm.endpoints.usage import Call
from nodes.llm.replies.errors import ModelError

MAX_ATTEMPTS = 4
"""Requests in a row for one reply, faults included; those that a rate limit refused cost nothing and do not count."""
MAX_TRIES_OF_A_KIND = {"empty": 2, "bad_reply": 3}
"""Of these, such as came back empty, or as no chat server's reply: what stays so after them is no passing fault."""
MAX_BROKEN_BEFORE_ANOTHER_WAY = 2
"""Of these, such as the server failed on, where it can be asked in another way: some fail on what they lack."""

_backoff = tenacity.wait_exponential(multiplier=0.5, max=20) + tenacity.wait_random(0, 0.5)


def often_enough(tried: Sequence[Call], *, other_way: bool = False) -> bool:
    """Whether a reply was asked for as often as it may be, whatever time is left.

    Args:
        tried: The requests made for it so far, the last one failed.
        other_way: Whether it can be asked for in another way, should the server break on this one.
    """
    counted = sum(call.status != "rate_limited" for call in tried)
    if other_way and tried[-1].status == "server_error":
        return counted >= MAX_BROKEN_BEFORE_ANOTHER_WAY
    return counted >= MAX_TRIES_OF_A_KIND.get(tried[-1].status, MAX_ATTEMPTS)


def goes_elsewhere(state: tenacity.RetryCallState) -> bool:
    """Whether another server may answer instead, as it is now."""
    error = state.outcome.exception() if state.outcome else None
    return isinstance(error, ModelError) and error.elsewhere


def wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds to wait: as many as the server asked, else more each time, with jitter against lockstep."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ModelError) else None
    if goes_elsewhere(state):
        return 0.0
    if asked is None:
        return _backoff(state)
    # A server that refuses again after the wait it asked for does not know how long it will take.
    return asked if state.attempt_number == 1 else max(asked, _backoff(state))

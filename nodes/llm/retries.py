"""How often a request is tried again, and how long is waited before (pure)."""

from collections.abc import Sequence

import tenacity

from nodes.llm.errors import ModelError
from nodes.llm.usage import Call

MAX_ATTEMPTS = 4
"""Requests in a row for one reply, faults included; those that a rate limit refused cost nothing and do not count."""
MAX_EMPTY = 2
"""Of these, such as came back empty: a model that says nothing twice has nothing to say."""

_backoff = tenacity.wait_exponential_jitter(multiplier=0.5, max=20, jitter=0.5)


def often_enough(tried: Sequence[Call]) -> bool:
    """Whether a reply was asked for as often as it may be, whatever time is left.

    Args:
        tried: The requests made for it so far, the last one failed.
    """
    counted = sum(call.status != "rate_limited" for call in tried)
    return counted >= (MAX_EMPTY if tried[-1].status == "empty" else MAX_ATTEMPTS)


def wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds to wait: as many as the server asked, else more each time, with jitter against lockstep."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ModelError) else None
    if asked is None:
        return _backoff(state)
    # A server that refuses again after the wait it asked for does not know how long it will take.
    return asked if state.attempt_number == 1 else max(asked, _backoff(state))

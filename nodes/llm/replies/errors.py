"""Why a model gave no usable reply, told apart by what can be done about it."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import SecretStr

from nodes.llm.replies.codes import words_of
from nodes.llm.replies.reply import Reply
from nodes.shared.masking import leave_out

Kind = Literal[
    "timed_out",
    "unreachable",
    "dropped",
    "rate_limited",
    "overloaded",
    "quota",
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
    "deadline",
    "over_budget",
    "cancelled",
]
RETRYABLE: frozenset[Kind] = frozenset(
    {"unreachable", "dropped", "rate_limited", "overloaded", "server_error", "bad_reply", "empty"}
)
"""What another try may mend. A wrong key or a wrong request stays wrong."""
HOPELESS: frozenset[Kind] = frozenset({"unreachable", "unauthorized", "quota", "not_found", "bad_reply"})
"""What holds for every request to that model alike."""
OUT_OF_BUDGET: frozenset[Kind] = frozenset({"deadline", "over_budget"})
"""What no other model would mend: the run itself is at its end."""
CONGESTION: dict[Kind, str] = {
    "rate_limited": "refused with HTTP 429",
    "overloaded": "refused as overloaded (HTTP 503)",
    "timed_out": "a request timed out",
}
"""What shows that a server is asked for too much, in words."""
MIN_PATIENCE_S = 30.0
"""Seconds after which a time-out shows it, too: who waits no longer than that tells of their own limit, not of the
server's."""


def tell_overload(status: str, latency_s: float) -> str:
    """Say how a call has shown that its server is asked for too much; empty where it has not."""
    hasty = status == "timed_out" and latency_s < MIN_PATIENCE_S
    return "" if hasty else next((why for kind, why in CONGESTION.items() if kind == status), "")


class ConfigurationError(ValueError):
    """The run cannot start as it is set up; the message says what to change."""


class ModelError(Exception):
    """A call that gave no usable reply.

    Attributes:
        kind: What went wrong.
        retry_after: Seconds that the server asked to wait, if it did.
        reply: What the model had said by then, if anything; it is not whole.
        param: The field of the request that the server names as wrong, if it names one.
        elsewhere: Whether another server of the role may answer instead.
    """

    elsewhere = False

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        retry_after: float | None = None,
        reply: Reply | None = None,
        param: str = "",
    ) -> None:
        super().__init__(message)
        self.param = param
        self.kind: Kind = kind
        self.retry_after = retry_after
        self.reply = reply

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed if sent again."""
        return self.elsewhere or self.kind in RETRYABLE

    @property
    def hopeless(self) -> bool:
        """Whether every other request to the same model will fail alike."""
        return self.kind in HOPELESS


class ErrorInside(Exception):
    """A reply with a good status that holds an error.

    Attributes:
        said: The error object.
    """

    def __init__(self, said: Mapping[str, Any]) -> None:
        super().__init__(words_of(said))
        self.said = said


class NotChat(Exception):
    """A reply with a good status that is none of a chat server."""


class Unended(Exception):
    """A stream that stopped without a finish reason and without its last event."""


class CallFailed(Exception):
    """What a client raised, in words without the key: tracers see these errors, and servers may repeat the key.

    Attributes:
        error: What the client raised.
    """

    def __init__(self, error: Exception, key: SecretStr) -> None:
        super().__init__(f"{type(error).__name__}: {without_key(str(error), key)}")
        self.error = error


def without_key(text: str, key: SecretStr) -> str:
    """Return `text` with the key left out, should a server have repeated it."""
    return leave_out(text, key.get_secret_value())

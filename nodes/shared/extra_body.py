"""Which fields a user may add to the body of a request (pure)."""

import json
from typing import Any

MAX_EXTRA_CHARACTERS = 20_000
"""Of the fields as JSON: they go with every request."""
_OURS = frozenset({"model", "messages", "stream", "stream_options", "n", "tools", "tool_choice", "response_format"})
"""What says how the workflow asks."""
_SETTINGS = {
    **{name: name for name in ("temperature", "top_p", "seed", "max_tokens", "reasoning_effort")},
    "max_completion_tokens": "max_tokens",
}
"""Fields with a setting of their own."""


def check_extra(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields, if they may be added.

    Raises:
        ValueError: One is the workflow's own or a setting's, or they are no JSON or too long.
    """
    for name in fields:
        if name in _OURS:
            raise ValueError(f"`{name}` may not be added to requests: the workflow says itself how it asks")
        if name in _SETTINGS:
            raise ValueError(f"`{name}` has a setting of its own, `{_SETTINGS[name]}`")
    try:
        length = len(json.dumps(fields, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"what is added to requests must be JSON ({error})") from None
    if length > MAX_EXTRA_CHARACTERS:
        raise ValueError(
            f"what is added to requests has {length:,} characters as JSON, the limit is {MAX_EXTRA_CHARACTERS:,}"
        )
    return fields

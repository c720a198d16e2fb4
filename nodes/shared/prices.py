"""Prices that a user gives for models, in US dollars a million tokens (pure)."""

import json
import math
from typing import Any

MAX_PRICE_USD = 1_000_000
"""Of a million tokens."""
MAX_PRICED_MODELS = 1_000
"""Models that may have a price."""
_NEEDED, _KNOWN = ("input", "output"), ("input", "output", "cached")


def read_prices(value: Any) -> Any:
    """Read what the environment or a command line holds: JSON.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"must be JSON such as {EXAMPLE} ({error})") from None


EXAMPLE = '{"openai:qwen3": {"input": 0.5, "output": 1.5}}'


def check_prices(prices: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return prices, if each names a model and what it takes for tokens read, written and cached.

    Raises:
        ValueError: One does not.
    """
    if len(prices) > MAX_PRICED_MODELS:
        raise ValueError(f"has prices of {len(prices):,} models, the limit is {MAX_PRICED_MODELS:,}")
    for model, own in prices.items():
        if wrong := sorted(set(own) - set(_KNOWN)):
            raise ValueError(f"`{model}`: `{wrong[0]}` is no price; there are {', '.join(_KNOWN)}")
        if lacking := [name for name in _NEEDED if name not in own]:
            raise ValueError(f"`{model}`: `{lacking[0]}` is missing; write it as {EXAMPLE}")
        for name, usd in own.items():
            if not (math.isfinite(usd) and 0 <= usd <= MAX_PRICE_USD):
                raise ValueError(f"`{model}`: `{name}` must be from 0 to {MAX_PRICE_USD:,} US dollars a million tokens")
    return prices

"""What a model's calls of a run cost."""

from nodes.llm.endpoints.price import price
from nodes.llm.endpoints.usage import Usage
from nodes.settings import Settings
from nodes.shared.record import Record


class Cost(Record):
    """What one model's calls of a run cost."""

    model: str
    """`provider:name`."""
    usd: float | None = None
    """US dollars; `None` where the price is unknown."""
    source: str = ""
    """Where the price is from, or why it is unknown."""


def cost_of(settings: Settings, model: str, usage: Usage) -> Cost:
    """Price the usage of a model, as `nodes.llm.endpoints.price` does."""
    found = price(settings, model, usage)
    return Cost(model=model, usd=found.usd, source=found.source)

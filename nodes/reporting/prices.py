"""What a model's calls of a run cost."""

from collections.abc import Sequence

from nodes.llm.endpoints.price import price
from nodes.llm.endpoints.usage import Call, Usage
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


def add_told_costs(model: str, calls: Sequence[Call]) -> Cost | None:
    """Add up what servers said that a model's calls cost; `None` where one that was counted said nothing."""
    told = [call.cost_usd for call in calls if call.model == model and call.usage.total]
    known = [cost for cost in told if cost is not None]
    return Cost(model=model, usd=sum(known), source="told by the server") if known and len(known) == len(told) else None


def cost_of(settings: Settings, model: str, usage: Usage) -> Cost:
    """Price the usage of a model, as `nodes.llm.endpoints.price` does."""
    found = price(settings, model, usage)
    return Cost(model=model, usd=found.usd, source=found.source)

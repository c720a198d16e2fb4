"""What a model's tokens cost, where its price is known: the published prices of `genai-prices`."""

from nodes.llm.endpoints.usage import Usage
from nodes.settings import Settings
from nodes.shared.environment import environment_base_url
from nodes.shared.providers import DEFAULT_BASE_URL
from nodes.shared.record import Record

_LISTED = {"google_genai": "google", "mistralai": "mistral"}
"""What genai-prices calls providers, where LangChain has another name."""


class Cost(Record):
    """What one model's calls of a run cost."""

    model: str
    """`provider:name`."""
    usd: float | None = None
    """US dollars; `None` where the price is unknown."""
    source: str = ""
    """Where the price is from, or why it is unknown."""


def cost_of(settings: Settings, model: str, usage: Usage) -> Cost:
    """Price the usage of a model; unknown for servers of one's own and models that nobody lists.

    Args:
        settings: The run's settings.
        model: As `provider:name`.
        usage: What the server counted.
    """
    provider, _, name = model.partition(":")
    if provider == "local":
        return Cost(model=model, source="the embedded model has no price")
    named = [settings.servers_for(seat).addresses for seat in settings.seats() if settings.model_for(seat) == model]
    general, held = settings.servers_for("general").addresses, environment_base_url(provider)
    asked = {
        address
        for one in named or [general]
        for address in one or [(held or DEFAULT_BASE_URL.get(provider, "")).rstrip("/")]
    }
    if asked != {DEFAULT_BASE_URL.get(provider, "")}:
        return Cost(model=model, source="the price of a server of one's own is unknown")
    # Imported here: most runs ask for no price, and its tables are large.
    import genai_prices

    tokens = genai_prices.Usage(
        input_tokens=usage.input, output_tokens=usage.output, cache_read_tokens=min(usage.cached, usage.input)
    )
    try:
        price = genai_prices.calc_price(tokens, model_ref=name, provider_id=_LISTED.get(provider, provider))
    except (LookupError, ValueError):
        return Cost(model=model, source="genai-prices lists no price for it")
    return Cost(model=model, usd=float(price.total_price), source="genai-prices")

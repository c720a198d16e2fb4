"""What a model's tokens cost: as the setting `prices` says, else the published prices of `genai-prices`."""

import json
from typing import NamedTuple

from nodes.llm.endpoints.usage import Usage
from nodes.settings import Settings
from nodes.shared.environment import environment_base_url
from nodes.shared.providers.known import DEFAULT_BASE_URL

PRICED_TOKENS = 1_000_000
"""Tokens that a price is given for."""
_LISTED = {"google_genai": "google", "mistralai": "mistral"}
"""What genai-prices calls providers, where LangChain has another name."""


class Price(NamedTuple):
    """What some usage of a model costs."""

    usd: float | None
    """US dollars; `None` where the price is unknown."""
    source: str
    """Where the price is from, or why it is unknown."""


def price(settings: Settings, model: str, usage: Usage) -> Price:
    """Price the usage of a model; unknown for servers of one's own and models that nobody lists.

    Args:
        settings: The run's settings.
        model: As `provider:name`.
        usage: What the server counted.
    """
    if own := (settings.prices or {}).get(model):
        return Price(_price_own(own, usage), "the setting `prices`")
    provider, _, name = model.partition(":")
    if provider == "local":
        return Price(None, "the embedded model has no price")
    if _list_addresses(settings, model, provider) != {DEFAULT_BASE_URL.get(provider, "")}:
        return Price(None, "the price of a server of one's own is unknown")
    # Imported here: most runs ask for no price, and its tables are large.
    import genai_prices

    tokens = genai_prices.Usage(
        input_tokens=usage.input, output_tokens=usage.output, cache_read_tokens=min(usage.cached, usage.input)
    )
    try:
        found = genai_prices.calc_price(tokens, model_ref=name, provider_id=_LISTED.get(provider, provider))
    except (LookupError, ValueError):
        return Price(None, "genai-prices lists no price for it")
    return Price(float(found.total_price), "genai-prices")


def charge(settings: Settings, model: str, usage: Usage) -> float:
    """Return what some usage counts against `max_cost`, in US dollars: the embedded model is paid to nobody."""
    return price(settings, model, usage).usd or 0.0


def ask_for_prices(settings: Settings) -> str:
    """Say which prices of models `max_cost` lacks, and how to give them; empty where it lacks none."""
    if settings.max_cost is None:
        return ""
    found = {model: price(settings, model, Usage(input=1, output=1, total=2)) for model in sorted(settings.models())}
    unpriced = {model: known.source for model, known in found.items() if known.usd is None and model != "local"}
    if not unpriced:
        return ""
    told = "; ".join(f"`{model}`: {why}" for model, why in unpriced.items())
    example = json.dumps({model: {"input": 0.5, "output": 1.5} for model in unpriced})
    return (
        f"`max_cost` needs the price of every model of the run ({told}): give it in `prices`, in US dollars a million "
        f"tokens, such as {example}, or bound the run by `max_total_tokens`"
    )


def show_dollars(usd: float) -> str:
    """Write an amount so that the least one of a run can be read: `$0.000345`."""
    return "$" + f"{usd:.6f}".rstrip("0").rstrip(".")


def _price_own(own: dict[str, float], usage: Usage) -> float:
    cached = min(usage.cached, usage.input)
    read = (usage.input - cached) * own["input"] + cached * own.get("cached", own["input"])
    return (read + usage.output * own["output"]) / PRICED_TOKENS


def _list_addresses(settings: Settings, model: str, provider: str) -> set[str]:
    """List the addresses at which a model is asked."""
    named = [settings.servers_for(seat).addresses for seat in settings.seats() if settings.model_for(seat) == model]
    general, held = settings.servers_for("general").addresses, environment_base_url(provider)
    return {
        address
        for one in named or [general]
        for address in one or [(held or DEFAULT_BASE_URL.get(provider, "")).rstrip("/")]
    }

"""Who serves models: how each is named, where it is reached, and which variable holds its key."""

from nodes.shared.providers.integrations import INTEGRATIONS

PROVIDERS = {
    "openai": "openai:NAME (OpenAI, and every OpenAI-compatible server through `base_url`)",
    "deepseek": "deepseek:NAME",
    "local": "local (the embedded model)",
}
OWN = "own"
"""What stands for a provider where a graph was built with the model: `own:NAME`."""
DEFAULT_KEY_ENV = {"openai": "OPENAI_API_KEY", "deepseek": "DEEPSEEK_API_KEY"}
DEFAULT_BASE_URL = {"openai": "https://api.openai.com/v1", "deepseek": "https://api.deepseek.com/v1"}


def dialect_of(model: str) -> str:
    """Return how the server of a model is spoken to: as OpenAI's, or as the provider's integration does."""
    provider = model.partition(":")[0]
    return provider if provider in INTEGRATIONS or provider == OWN else "openai"


def check_model_name(name: str) -> str:
    """Return the name of a model, if it is `local` or `provider:name`.

    Raises:
        ValueError: It is neither; the message says what is allowed.
    """
    if name == "local":
        return name
    if not name.isprintable():
        raise ValueError("the name of the model holds control characters, or others that cannot be shown")
    provider, colon, own = name.partition(":")
    if colon and own.strip() and (provider in DEFAULT_BASE_URL or provider in INTEGRATIONS or provider == OWN):
        return name
    if not colon:
        problem = f"`{name}` names no provider"
    elif provider in DEFAULT_BASE_URL or provider in INTEGRATIONS:
        problem = f"`{name}` names no model of `{provider}`"
    else:
        problem = f"`{name}` is not" if provider == "local" else f"unknown provider `{provider}` in `{name}`"
    others = f"through LangChain's packages PROVIDER:NAME of {', '.join(INTEGRATIONS)}"
    raise ValueError(f"{problem}; allowed are {', '.join(PROVIDERS.values())}, and {others}")

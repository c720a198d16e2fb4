"""Who serves models: how each is named, where it is reached, and which variable holds its key."""

PROVIDERS = {
    "openai": "openai:NAME (OpenAI, and every OpenAI-compatible server through `base_url`)",
    "deepseek": "deepseek:NAME",
    "local": "local (the embedded model)",
}
DEFAULT_KEY_ENV = {"openai": "OPENAI_API_KEY", "deepseek": "DEEPSEEK_API_KEY"}
DEFAULT_BASE_URL = {"openai": "https://api.openai.com/v1", "deepseek": "https://api.deepseek.com/v1"}


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
    if colon and own.strip() and provider in DEFAULT_BASE_URL:
        return name
    if not colon:
        problem = f"`{name}` names no provider"
    elif provider in DEFAULT_BASE_URL:
        problem = f"`{name}` names no model of `{provider}`"
    else:
        problem = f"`{name}` is not" if provider == "local" else f"unknown provider `{provider}` in `{name}`"
    raise ValueError(f"{problem}; allowed are {', '.join(PROVIDERS.values())}")

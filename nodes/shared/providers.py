"""Who serves models: how each is named, where it is reached, and which variable holds its key."""

PROVIDERS = {
    "openai": "openai:NAME (OpenAI, and every OpenAI-compatible server through `base_url`)",
    "deepseek": "deepseek:NAME",
    "local": "local (the embedded model)",
}
DEFAULT_KEY_ENV = {"openai": "OPENAI_API_KEY", "deepseek": "DEEPSEEK_API_KEY"}
DEFAULT_BASE_URL = {"openai": "https://api.openai.com/v1", "deepseek": "https://api.deepseek.com/v1"}

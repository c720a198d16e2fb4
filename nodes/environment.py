"""What is read from the environment and is no setting: keys, tokens, addresses, and where files lie."""

import os
from pathlib import Path

import platformdirs

from nodes.tokens import read_tokens

PACKAGE = "adaptive-parallel-reasoning"

_keys: set[str] = set()
"""Names of the variables that keys were asked for."""


def default_model() -> str:
    """Name the model of a run that chose none: OpenAI where it is set up, else the embedded one."""
    openai = environment_key("OPENAI_API_KEY") or environment_base_url("openai")
    return "openai:gpt-5-mini" if openai else "local"


def environment_key(name: str) -> str | None:
    """Read an API key from the environment variable `name`; `None` when it is unset or blank."""
    _keys.add(name)
    return os.environ.get(name, "").strip() or None


def environment_tokens() -> dict[str, str]:
    """Read `APR_TOKENS`, the tokens of the server's users: names by token, empty where none are configured.

    Raises:
        ValueError: It is not as it should be.
    """
    return read_tokens(os.environ.get("APR_TOKENS", ""))


def environment_secrets() -> list[str]:
    """Read what the environment holds under names of secrets, the longest first; what is short is a placeholder."""
    endings = ("KEY", "TOKEN", "SECRET", "PASSWORD")
    names = [name for name in os.environ if name.upper().endswith(endings) or name in _keys]
    held = {os.environ[name].strip() for name in names}
    held |= {pair.partition(":")[2] for pair in os.environ.get("APR_TOKENS", "").replace(",", " ").split()}
    return sorted({secret for secret in held if len(secret) >= 8}, key=len, reverse=True)


def environment_base_url(provider: str) -> str | None:
    """Read the base URL that the provider's own SDK would take from the environment."""
    return os.environ.get(f"{provider.upper()}_BASE_URL", "").strip() or None


def environment_model_file() -> Path | None:
    """Read `APR_LOCAL_GGUF`: another model file for the embedded server."""
    path = os.environ.get("APR_LOCAL_GGUF", "").strip()
    return Path(path).expanduser() if path else None


def cache_file() -> Path:
    """Name the file of the thread cache: `APR_CACHE_FILE`, else one in the user's cache folder."""
    path = os.environ.get("APR_CACHE_FILE", "").strip()
    return Path(path).expanduser() if path else platformdirs.user_cache_path(PACKAGE) / "threads.sqlite"


def environment_store() -> str:
    """Read `APR_STORE`: where `apr` keeps its runs; by default a file in the user's state folder."""
    place = os.environ.get("APR_STORE", "").strip()
    return place or str(platformdirs.user_state_path(PACKAGE) / "runs.sqlite")


def use_store(place: str) -> None:
    """Have this process keep what it keeps beside the runs of another store, or nothing (`none`)."""
    os.environ["APR_STORE"] = place


def endpoints_folder() -> Path | None:
    """Name the folder that keeps what endpoints have shown: beside the runs; `None` where none are kept."""
    place = environment_store()
    if place.lower() == "none":
        return None
    file = platformdirs.user_state_path(PACKAGE) / "runs.sqlite" if "://" in place else Path(place)
    return file.with_name(f"{file.name}.endpoints")


def environment_redis_url() -> str | None:
    """Read `APR_REDIS_URL`: a Redis server that holds the thread cache instead of the file."""
    return os.environ.get("APR_REDIS_URL", "").strip() or None

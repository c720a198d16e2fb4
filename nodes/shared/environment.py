"""What is read from the environment and is no setting: keys, tokens, addresses, and where files lie."""

import difflib
import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import platformdirs

from nodes.shared.address import sound_address
from nodes.shared.auth_tokens import read_tokens

PACKAGE = "adaptive-parallel-reasoning"
MIN_SECRET_CHARACTERS = 8
"""Of a key; a shorter one is a placeholder, such as those of servers that need none."""
OTHER_NAMES = (
    "APR_ALLOW_ENDPOINTS",
    "APR_ALLOW_HOSTS",
    "APR_ALLOW_SETTINGS",
    "APR_CACHE_FILE",
    "APR_CONFIG",
    "APR_ENGINE",
    "APR_LOCAL_GGUF",
    "APR_REDIS_URL",
    "APR_STORE",
    "APR_TEMPORAL_KEY",
    "APR_TOKENS",
    "APR_WORKERS",
)
"""Variables of ours that are no settings."""
NEVER_KEYS = ("APR_", "LANGSMITH_", "LANGCHAIN_")
"""Beginnings of variables that never hold the key of a model server."""
MAX_WORKERS = 10_000
"""Processes that say that they share endpoints, at most."""
MIN_NAME_LIKENESS = 0.8
"""How alike two names are when one is taken for a slip of the other, from 0 to 1."""

_IN_ADDRESS = re.compile(r"://[^\s/:@]{0,100}:([^\s/@]{1,200})@")
"""A password in an address, such as a database's."""
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
    """Read `APR_TOKENS`, the tokens of the server's users: names by token, empty where it is not set.

    Raises:
        ValueError: It is not as it should be.
    """
    held = os.environ.get("APR_TOKENS")
    return {} if held is None else read_tokens(held)


def environment_endpoints() -> dict[str, str | None]:
    """Read `APR_ALLOW_ENDPOINTS`: the addresses that requests to the server may name, each with its key's variable.

    Returns:
        Names of variables by address, `None` where no key is sent.

    Raises:
        ValueError: An entry is not of the form `address=VARIABLE` or `address`.
    """
    allowed: dict[str, str | None] = {}
    for number, entry in enumerate(os.environ.get("APR_ALLOW_ENDPOINTS", "").replace(",", " ").split(), 1):
        address, _, variable = entry.partition("=")
        try:
            allowed[sound_address(address)] = variable or None
        except ValueError as error:
            raise ValueError(f"APR_ALLOW_ENDPOINTS: entry {number}: {error}") from None
        if variable and (not variable.isidentifier() or variable.startswith(NEVER_KEYS)):
            raise ValueError(f"APR_ALLOW_ENDPOINTS: entry {number} names no variable that may hold a key")
    return allowed


def environment_settings() -> frozenset[str]:
    """Read `APR_ALLOW_SETTINGS`: settings of the operator's that requests to the server may give, too."""
    return frozenset(os.environ.get("APR_ALLOW_SETTINGS", "").replace(",", " ").lower().split())


def environment_hosts() -> frozenset[str]:
    """Read `APR_ALLOW_HOSTS`: names under which the server is reached, beside those of this machine itself."""
    return frozenset(os.environ.get("APR_ALLOW_HOSTS", "").replace(",", " ").lower().split())


def find_misspelt(settings: Iterable[str]) -> dict[str, str]:
    """Find variables that are meant for us and are none of ours, with the nearest name that is.

    Args:
        settings: Names of all settings.
    """
    ours = [*OTHER_NAMES, *(f"APR_{name.upper()}" for name in settings)]
    strange = [name for name in os.environ if name.upper().startswith("APR_") and name.upper() not in ours]
    near = {name: difflib.get_close_matches(name.upper(), ours, 1, MIN_NAME_LIKENESS) for name in strange}
    return {name: found[0] for name, found in near.items() if found}


def environment_secrets() -> list[str]:
    """Read what the environment holds under names of secrets, the longest first; what is short is a placeholder."""
    return list(_secrets_in(tuple(os.environ.items()), frozenset(_keys)))


# A trace asks at every text, and the environment hardly ever changes.
@lru_cache(maxsize=4)
def _secrets_in(environment: tuple[tuple[str, str], ...], keys: frozenset[str]) -> tuple[str, ...]:
    endings = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIALS")
    held = {value.strip() for name, value in environment if name.upper().endswith(endings) or name in keys}
    tokens = next((value for name, value in environment if name == "APR_TOKENS"), "")
    held |= {pair.partition(":")[2] for pair in tokens.replace(",", " ").split()}
    held |= {found[1] for _, value in environment for found in _IN_ADDRESS.finditer(value)}
    return tuple(sorted({secret for secret in held if len(secret) >= MIN_SECRET_CHARACTERS}, key=len, reverse=True))


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
    """Read `APR_REDIS_URL`: a Redis server that holds the thread cache, and what several workers share."""
    return os.environ.get("APR_REDIS_URL", "").strip() or None


def environment_workers() -> int:
    """Read `APR_WORKERS`: how many processes, this one included, ask the same endpoints; 1 where it is not set.

    Raises:
        ValueError: It is no such number.
    """
    held = os.environ.get("APR_WORKERS", "").strip() or "1"
    if not (held.isascii() and held.isdigit() and 1 <= int(held[:9]) <= MAX_WORKERS and len(held) < 9):
        raise ValueError(f"APR_WORKERS is {held[:20]!r}; allowed are whole numbers from 1 to {MAX_WORKERS:,}")
    return int(held)

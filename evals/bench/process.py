"""The processes of a measurement: a core for each, room for its connections, nothing of the user's environment."""

import atexit
import os
import resource
import tempfile
from functools import cache


def two_cores() -> tuple[str, str] | None:
    """Return a core for the server and one for the client; `None` where processes cannot be pinned."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return (str(cores[0]), str(cores[1])) if len(cores) > 1 else None


def settle(core: str) -> None:
    """Pin this process to a core (none if empty) and let it open as many connections as it may.

    A usual limit of 1,024 open files would measure that limit from 128 runs at once.
    """
    if core:
        os.sched_setaffinity(0, {int(core)})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16_384 if hard == resource.RLIM_INFINITY else min(16_384, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@cache
def _nobodys_folder() -> str:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return folder.name


def environment() -> dict[str, str]:
    """Return the environment of the processes: tracing off, no proxy, no settings or keys left over."""
    ours = ("APR_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "DSPY_", "LITELLM_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(ours) and not name.lower().endswith("_proxy")
    }
    # What endpoints have shown is kept, as everywhere, but nowhere that a later measurement would find it.
    kept["APR_STORE"] = os.path.join(_nobodys_folder(), "runs.sqlite")
    # litellm would fetch its list of prices from the network while it is imported.
    return kept | {"LANGSMITH_TRACING": "false", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}

"""What the figures were measured on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from evals.bench.process import two_cores

PACKAGES = (
    "langgraph",
    "langchain-core",
    "langchain-openai",
    "openai",
    "aiohttp",
    "httpx2",
    "httpx",
    "dspy",
    "litellm",
)


def machine() -> dict[str, Any]:
    """Return the date (UTC), the machine and the versions of what is measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "pinned": two_cores() is not None,
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def describe(found: dict[str, Any]) -> str:
    """Write it as one line."""
    pinned = "client and server pinned to a core each" if found["pinned"] else "processes not pinned to cores"
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    cores = f"{found['cores']} cores" if found["cores"] > 1 else "1 core"
    return f"{found['date']}, {found['processor']}, {cores}, {pinned}, Python {found['python']}, {packages}."


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""

"""Settings in the environment, read once for as long as they stay the same: a run asks for its settings many times."""

import copy
import os
from typing import Any

from pydantic_settings import EnvSettingsSource

PREFIX = "APR_"

_Held = tuple[tuple[str, str], ...]


class ReadOnce(EnvSettingsSource):
    """The environment as pydantic-settings reads it; to read it takes as long as half of all else in a run."""

    _read: tuple[_Held, dict[str, Any]] | None = None

    def __call__(self) -> dict[str, Any]:
        """Return the values by name."""
        held = tuple((name, value) for name, value in os.environ.items() if name.upper().startswith(PREFIX))
        if ReadOnce._read is None or ReadOnce._read[0] != held:
            ReadOnce._read = held, super().__call__()
        return copy.deepcopy(ReadOnce._read[1])

"""Who may ask a server that `apr` starts, and the key of one that nobody gave tokens."""

import os
import secrets
import sys
from typing import TYPE_CHECKING

from graphs.cli.refusal import refuse

if TYPE_CHECKING:
    from nodes.settings import Settings

ACCESS_KEY_BYTES = 24
"""Random bytes of a key that is made here."""


def read_environment() -> "tuple[Settings, dict[str, str]]":
    """Return the settings and who may ask; what is wrong with either is said at the start, before anything listens."""
    from pydantic import ValidationError

    from nodes.settings import Settings
    from nodes.shared.environment import environment_endpoints, environment_tokens
    from nodes.shared.refusals import say_problems

    try:
        settings, tokens = Settings(), environment_tokens()
        environment_endpoints()
    except ValidationError as error:
        refuse("\n".join(say_problems(error)))
    except ValueError as error:
        refuse(str(error))
    return settings, tokens


def make_key() -> None:
    """Make a key, show it once, and let it count as the only one of `APR_TOKENS`.

    The same way as a key that somebody chose, so that it is masked wherever that would be.
    """
    key = secrets.token_urlsafe(ACCESS_KEY_BYTES)
    os.environ["APR_TOKENS"] = f"local:{key}"
    sys.stderr.write(f"apr: the key, shown this once: {key}\n")

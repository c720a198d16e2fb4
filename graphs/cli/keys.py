"""The key of a server that nobody gave tokens."""

import os
import secrets
import sys

KEY_BYTES = 24
"""Random bytes of a key that is made here."""


def make_key() -> None:
    """Make a key, show it once, and let it count as the only one of `APR_TOKENS`.

    The same way as a key that somebody chose, so that it is masked wherever that would be.
    """
    key = secrets.token_urlsafe(KEY_BYTES)
    os.environ["APR_TOKENS"] = f"local:{key}"
    sys.stderr.write(f"apr: the key, shown this once: {key}\n")

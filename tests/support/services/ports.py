"""Ports for servers that are told theirs, and bind it only a while later."""

import random
import socket

BELOW_EPHEMERAL = range(20_000, 32_000)
"""Below those that a system gives out to whoever asks for any, so that none of these takes one meanwhile."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens at."""
    while True:
        port = random.SystemRandom().choice(BELOW_EPHEMERAL)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port

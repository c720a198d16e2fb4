"""A line on standard error that says what takes so long."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

NOTICE_AFTER_S = 2.0
"""Seconds after which a line says what takes so long."""


@contextmanager
def announce(line: str) -> Iterator[None]:
    """Say what is done, if it takes long."""
    # The stream is looked up when it is written to: a live display may have taken its place by then.
    timer = threading.Timer(NOTICE_AFTER_S, lambda: sys.stderr.write(f"{line}\n"))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()

"""A standard error that may be full, closed or gone: what is shown there is not what a run is for."""

import os
import sys
from contextlib import suppress
from typing import Any, TextIO, cast


class Tolerant:
    """A stream that drops what it cannot write."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream."""
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's own."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is held back, or keep it."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def tolerate_standard_error() -> None:
    """Let nothing that becomes of standard error end this process."""
    stream: TextIO | None = sys.stderr
    # Closed, its number would be given to the next file that is opened, and what others write there would end up in it.
    if stream is None:
        stream = open(os.devnull, "w")
    sys.stderr = cast(TextIO, Tolerant(stream))

"""What has come of a stream, for whoever asked for it and is cancelled before it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from nodes.llm.wire import Heard

_overhearing: ContextVar[list[Heard] | None] = ContextVar("overhearing", default=None)


@contextmanager
def overhear() -> Iterator[list[Heard]]:
    """List the streams that begin inside, as far as they have come at any time."""
    heard: list[Heard] = []
    token = _overhearing.set(heard)
    try:
        yield heard
    finally:
        _overhearing.reset(token)


def listen() -> Heard:
    """Begin to hear a stream."""
    heard = Heard()
    if (streams := _overhearing.get()) is not None:
        streams.append(heard)
    return heard

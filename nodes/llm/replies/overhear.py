"""What has come of a reply, for whoever asked for it, should it break off or its reader be cancelled."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from nodes.llm.replies.wire import Heard

_overhearing: ContextVar[list[Heard] | None] = ContextVar("overhearing", default=None)


@contextmanager
def overhear() -> Iterator[list[Heard]]:
    """List the replies that begin inside, as far as they have come at any time."""
    heard: list[Heard] = []
    token = _overhearing.set(heard)
    try:
        yield heard
    finally:
        _overhearing.reset(token)


def listen(secret: str) -> Heard:
    """Begin to hear a reply of a server that was sent a secret."""
    heard = Heard(secret)
    if (replies := _overhearing.get()) is not None:
        replies.append(heard)
    return heard

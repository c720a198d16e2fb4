"""What has come of a reply, for whoever asked for it, should it break off or its reader be cancelled."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from nodes.llm.replies.wire import Heard

OnText = Callable[[str], None]
"""Is told all that has come of a reply's text, each time more has."""


class _Ear(NamedTuple):
    heard: list[Heard]
    on_text: OnText | None
    on_begin: Callable[[], None] | None


_overhearing: ContextVar[_Ear | None] = ContextVar("overhearing", default=None)


@contextmanager
def overhear(on_text: OnText | None = None, on_begin: Callable[[], None] | None = None) -> Iterator[list[Heard]]:
    """List the replies that begin inside, as far as they have come at any time.

    Args:
        on_text: Is told of their text.
        on_begin: Is called with each piece of them, the first one included.
    """
    ear = _Ear([], on_text, on_begin)
    token = _overhearing.set(ear)
    try:
        yield ear.heard
    finally:
        _overhearing.reset(token)


def listen(secret: str) -> Heard:
    """Begin to hear a reply of a server that was sent a secret."""
    heard = Heard(secret)
    if ear := _overhearing.get():
        heard.on_text, heard.on_begin = ear.on_text, ear.on_begin
        ear.heard.append(heard)
    return heard

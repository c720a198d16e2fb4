"""How much of each text the page shows: short ones stay whole, and the long ones share what is left."""

from html import escape

from markupsafe import Markup

from graphs.page.markdown import render_markdown
from graphs.page.wording import Clipped, clip_text, mark_unseen

MAX_TEXT_BYTES = 500_000
"""Bytes of all texts together, as they are written into the page; the rest of it stays under 1 MB with them."""
MAX_MEASURED_CHARACTERS = 20_000
"""A longer text counts as one that fills the page."""
MARKUP_TIMES, MARKUP_BYTES = 4, 500
"""How many times as long a text may be as Markdown, with so many bytes more; it is shown as plain text beyond."""


class Room:
    """Hears of every text in a first pass over the page, and shortens them in a second one."""

    def __init__(self) -> None:
        """Begin the first pass, in which every text is left out."""
        self._sizes: list[int] = []
        self._most: int | None = None

    def share_out(self) -> None:
        """Begin the second pass."""
        left, self._most = MAX_TEXT_BYTES, MAX_TEXT_BYTES
        for place, size in enumerate(sorted(self._sizes)):
            share = left // (len(self._sizes) - place)
            if size > share:
                self._most = max(40, share)
                break
            left -= size

    def clip(self, text: str) -> Clipped:
        """Return a text as far as there is room for it."""
        if self._most is None:
            self._sizes.append(_measure(text))
            return Clipped("", 0)
        return clip_text(text, self._most)

    def render(self, text: str) -> Markup | None:
        """Return a text as Markdown, as far as there is room; `None` where it takes too much of it."""
        if self._most is None:
            self._sizes += [_measure(text)] * MARKUP_TIMES
            return Markup("")
        shown = clip_text(text, self._most).shown
        return render_markdown(shown, MARKUP_TIMES * _measure(shown) + MARKUP_BYTES)


def _measure(text: str) -> int:
    """Return the bytes that a text takes on the page."""
    if len(text) > MAX_MEASURED_CHARACTERS:
        return MAX_TEXT_BYTES
    return len(escape(mark_unseen(text)).encode())

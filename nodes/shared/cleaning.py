"""What every text passes on its way in, from users and from models, so that it can be kept and shown (pure)."""

import re

_SURROGATE = re.compile("[\ud800-\udfff]")
# NEL (\x85) ends a line; the others command terminals, as ESC does.
_CONTROLS = re.compile("[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c]")
END_MARKS = ".,;:?…。，；：？؟،؛\"'”’)"
"""What may end a text without being a part of what it says."""
INVISIBLE = "\ufeff\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u2060"
"""What has no width: a byte order mark, a soft hyphen, joiners, zero-width spaces, marks of direction."""


def storable(text: str) -> str:
    """Return a text that every store and every reader takes: no half of a character, no NUL, no control characters.

    Halves that stand side by side become the character that they are halves of, any other half becomes U+FFFD.
    """
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _CONTROLS.sub("", text)


def clean_text(text: str) -> str:
    """Return a user's text as it is kept: storable, with plain line ends, and nothing unseen at its start.

    The rest is what the user wrote. A form feed or a vertical tab ends a line.
    """
    return _LINE_ENDS.sub("\n", storable(text)).lstrip(INVISIBLE)


def one_line(text: str, limit: int | None = None) -> str:
    """Write a text on one line, of at most `limit` characters if that is given."""
    line = " ".join(text.split())
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def fold(text: str) -> str:
    """Return a text without case, blanks and end marks, for comparing; other signs tell `3 + 4` from `3 * 4`."""
    return "".join(text.casefold().split()).rstrip(END_MARKS)


def words_and_figures(text: str) -> str:
    """Return letters, digits and what may belong to a figure, folded; all else is one blank."""
    kept = "".join(character if character.isalnum() or character in "+-.,%/" else " " for character in text.casefold())
    return " ".join(kept.split()).strip(" .,")

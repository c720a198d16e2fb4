"""Whether two answers to the same question agree, in any language (pure)."""

import re

from nodes.judging.notation import plain_signs
from nodes.shared.cleaning import words_and_figures
from nodes.threads.ballot import by_value

_MARK_IN_FIGURE = re.compile(r"(?<=\d)[.,](?=\d)")


def agree(one: str, other: str) -> bool:
    """Tell whether one of two answers stands in the other."""
    return stands_in(one, other) or stands_in(other, one)


def stands_in(short: str, text: str) -> bool:
    """Tell whether a text says a short answer, as `9 plates cost 72 euros` says `72`.

    Figures count by value, in every script and with either decimal mark. Case, blanks and other signs do not count.
    """
    short, text = plain_signs(short), plain_signs(text)
    return any(
        _occurs_in(words_and_figures(read(short)), words_and_figures(read(text))) for read in (by_value, _digits)
    )


def _occurs_in(wanted: str, text: str) -> bool:
    if not wanted:
        return False
    # Part of a figure is another figure.
    before = r"(?<!\d)(?<!\d[.,])(?<!-)" if wanted[0].isdigit() else ""
    after = r"(?![.,]?\d)" if wanted[-1].isdigit() else ""
    return re.search(before + re.escape(wanted) + after, text) is not None


def _digits(text: str) -> str:
    return _MARK_IN_FIGURE.sub("", text)

"""Whether two answers to the same question agree, in any language (pure)."""

import re
from collections.abc import Callable

from nodes.judging.notation import plain_signs
from nodes.shared.cleaning import words_and_figures
from nodes.threads.ballot import by_value

_MARK_IN_FIGURE = re.compile(r"(?<=\d)[.,](?=\d)")


def agree(one: str, other: str) -> bool:
    """Tell whether one of two answers stands in the other, as `72` does in `9 plates cost 72 euros`.

    Figures count by value, in every script and with either decimal mark. Case, blanks and other signs do not count.
    """
    one, other = plain_signs(one), plain_signs(other)
    return any(_stands_in(one, other, read) or _stands_in(other, one, read) for read in (by_value, _digits))


def _stands_in(short: str, text: str, read: Callable[[str], str]) -> bool:
    wanted, within = words_and_figures(read(short)), words_and_figures(read(text))
    if not wanted:
        return False
    # Part of a figure is another figure.
    before = r"(?<!\d)(?<!\d[.,])(?<!-)" if wanted[0].isdigit() else ""
    after = r"(?![.,]?\d)" if wanted[-1].isdigit() else ""
    return re.search(before + re.escape(wanted) + after, within) is not None


def _digits(text: str) -> str:
    return _MARK_IN_FIGURE.sub("", text)

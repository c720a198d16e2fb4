"""What the items of a list begin with, in any script (pure)."""

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nodes.shared.cleaning import INVISIBLE

_MARGIN = " \t\u00a0\u3000" + INVISIBLE
_BULLETS = frozenset("•·‣⁃∙◦*+・")
_UNSPACED = frozenset("•‣・")
"""Bullets, beside the geometric shapes, that need no space after them."""
_NUMBERED = re.compile(
    r"(?P<stars>\*{1,3}|_{1,3})?(?P<open>[^\w\s*])?"
    r"(?:(?P<prefix>(?:[^\W\d_]{1,12}[ ]?)?)(?P<digits>\d{1,3})|(?P<letters>[^\W\d_]{1,5}))(?![^\W_])"
    r"(?P<inner>\*{1,3}|_{1,3})?(?P<close>[^\w\s*]{0,2})(?P<outer>\*{1,3}|_{1,3})?"
)
_CLOSING = frozenset(".:、。\ufe0f\u20e3")
"""What stands after the number of an item, brackets apart; the last two make a keycap of it."""
_ROMAN = re.compile(r"(?=.)(x{0,3})(ix|iv|v?i{0,3})", re.IGNORECASE | re.ASCII)
_ROMAN_UNITS = {"": 0, "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9}


@dataclass(frozen=True)
class Marker:
    """The beginning of a line that may be an item of a list."""

    text: str
    """As in `1.`, `(a)`, `-`."""
    indent: int
    """Columns before it."""
    width: int
    """Characters of the line up to the item's own words."""
    kind: tuple[str, ...]
    """What markers of one list have in common; a single sign for a bullet."""
    values: Mapping[str, int]
    """What it counts, by the ways in which it can be read; empty for a bullet."""


def item_markers(lines: Sequence[str], passed_over: Container[int]) -> dict[int, Marker]:
    """Find the lines that start items: two or more whose markers are alike or count up.

    Args:
        lines: The lines of a text.
        passed_over: Numbers of the lines that are no list whatever they begin with, such as code.

    Returns:
        The markers by the number of their line.
    """
    found: dict[int, Marker] = {}
    last: dict[tuple[object, ...], int] = {}
    candidates: dict[int, Marker] = {}
    for number, line in enumerate(lines):
        marker = None if number in passed_over else read_marker(line)
        if marker is None:
            continue
        candidates[number] = marker
        kind = marker.kind if marker.values else ("bullet",)
        before = {last.get((*kind, marker.indent)), last.get(kind), number - 1} - {None}
        for earlier in before & candidates.keys():
            if earlier is not None and follows(candidates[earlier], marker, adjacent=earlier == number - 1):
                found |= {earlier: candidates[earlier], number: marker}
        last[(*kind, marker.indent)] = last[kind] = number
    return dict(_align_indent(sorted(found.items())))


def _align_indent(found: Iterable[tuple[int, Marker]]) -> Iterator[tuple[int, Marker]]:
    """Give an item the indentation of the one before that it counts on from: lists are often pasted askew."""
    before: Marker | None = None
    for number, marker in found:
        if (
            before
            and before.kind == marker.kind
            and any(marker.values[system] == value + 1 for system, value in _find_shared(before, marker))
        ):
            marker = replace(marker, indent=min(marker.indent, before.indent))
        yield number, marker
        before = marker


def follows(earlier: Marker, later: Marker, *, adjacent: bool = False) -> bool:
    """Tell whether one marker goes on a list where the other stood before.

    Args:
        earlier: The one before.
        later: The other.
        adjacent: Their lines are neighbours; then they may look different as long as they count up.
    """
    if not earlier.values and not later.values:
        return True
    if earlier.kind == later.kind:
        return any(
            _goes_on(later, system, later.values[system] - value) for system, value in _find_shared(earlier, later)
        )
    return adjacent and any(value + 1 in later.values.values() for value in earlier.values.values())


def _find_shared(earlier: Marker, later: Marker) -> list[tuple[str, int]]:
    return [(system, value) for system, value in earlier.values.items() if system in later.values]


def _goes_on(marker: Marker, system: str, step: int) -> bool:
    prefix, closing = marker.kind[0], marker.kind[2]
    if system in ("number", "numeral") and not prefix:
        return step >= 0
    if system == "letter" and not marker.text.isascii():
        # Alphabets skip letters when they count.
        return step > 0
    # Initials stand before names: "J. Smith" twice is no list.
    return step == 1 or (step == 0 and system == "letter" and closing != ".")


def read_marker(line: str) -> Marker | None:
    """Read what a line begins with, if it may be the marker of an item."""
    bare = line.lstrip(_MARGIN)
    margin = len(line) - len(bare)
    indent = len(line[:margin].strip(INVISIBLE).expandtabs(4))
    return _bullet(bare, margin, indent) or _read_numbered(bare, margin, indent)


def _bullet(bare: str, margin: int, indent: int) -> Marker | None:
    sign = bare[:1]
    if not sign or not (sign in _BULLETS or unicodedata.category(sign) in ("Pd", "So")):
        return None
    rest = bare[1:].removeprefix("\ufe0f")
    if rest[:1] not in (" ", "\t", "\u00a0", "\u3000") or not rest.strip():
        if not (rest.strip() and (sign in _UNSPACED or "\u25a0" <= sign <= "\u25ff")):
            return None
    return Marker(
        text=sign, indent=indent, width=margin + len(bare) - len(rest.lstrip(_MARGIN)), kind=(sign,), values={}
    )


def _read_numbered(bare: str, margin: int, indent: int) -> Marker | None:
    match = _NUMBERED.match(bare)
    if match is None:
        return None
    opening, closing, letters = match["open"] or "", match["close"], match["letters"] or ""
    values = {"number": int(match["digits"])} if match["digits"] else _values(letters)
    own = len(letters) == 1 and unicodedata.category(letters) in ("No", "Nl")
    rest = bare[match.end() :]
    spaced = not rest or rest[0].isspace() or own or unicodedata.east_asian_width((closing or " ")[-1]) in "WF"
    if not values or not spaced or not (_is_closed(opening, closing) or (own and not opening)):
        return None
    stars = match["stars"] or ""
    closed = stars and stars in (match["inner"], match["outer"])
    text = match.group() if closed else opening + (match["prefix"] or "") + (match["digits"] or letters) + closing
    case = "upper" if letters.isupper() else "lower" if letters.islower() else ""
    kind = ((match["prefix"] or "").strip().casefold(), opening, closing, case)
    return Marker(
        text=text, indent=indent, width=margin + len(bare) - len(rest.lstrip(_MARGIN)), kind=kind, values=values
    )


def _is_closed(opening: str, closing: str) -> bool:
    if opening and unicodedata.category(opening) not in ("Ps", "Pi"):
        return False
    brackets = [char for char in closing if unicodedata.category(char) in ("Pe", "Pf")]
    plain = [char for char in closing if unicodedata.normalize("NFKC", char) in _CLOSING]
    return bool(closing) and len(brackets) + len(plain) == len(closing) and (bool(brackets) or not opening)


def _values(letters: str) -> dict[str, int]:
    """Read letters as what they may count: a numeral of its own, a Roman one, a letter of the alphabet."""
    numerals = [unicodedata.numeric(char, None) for char in letters]
    if all(value is not None for value in numerals):
        counted = _han([value for value in numerals if value is not None])
        return {"numeral": counted} if counted else {}
    values = {}
    if roman := _ROMAN.fullmatch(letters):
        values["roman"] = len(roman[1]) * 10 + _ROMAN_UNITS[roman[2].lower()]
    if len(letters) == 1:
        folded = letters.casefold()
        values["letter"] = ord(folded[0]) - (ord("a") - 1 if folded.isascii() else 0)
    return values


def _han(numerals: Sequence[float]) -> int:
    """Read numerals such as 十二; zero for what is no whole number."""
    if any(value != int(value) for value in numerals):
        return 0
    total = digit = 0
    for value in map(int, numerals):
        if value >= 10 and len(numerals) > 1:
            total, digit = total + (digit or 1) * value, 0
        else:
            digit = digit * 10 + value
    return total + digit

"""What belongs to an item of a list where its lines are not indented (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nodes.input.markers import Marker, follows
from nodes.input.sentences import ends_a_sentence


@dataclass(frozen=True)
class Entry:
    """Lines of a list: an item's own, then those that may be its too, then a block of code that may be."""

    marker: Marker | None
    """`None` for lines that turned out to be no part of the item before them."""
    start: int
    end: int
    """The line after its own lines."""
    loose: int
    """The line after those that follow without indentation."""
    code: int
    """The line after the block of code that follows without indentation."""

    def with_code(self, end: int) -> "Entry":
        """Return it with a block of code after it."""
        return replace(self, code=end)

    def ending(self, end: int) -> "Entry":
        """Return it with all its lines up to this one."""
        return replace(self, end=end, loose=end, code=end)


def lay_out(lines: Sequence[str], run: Sequence[Entry]) -> list[Entry]:
    """Decide which lines belong to the items of a list, and which item lies within which.

    What follows an item without indentation asks something of its own, unless the other items go on in the same way.

    Args:
        lines: The lines of the text.
        run: Items that stand one after another.

    Returns:
        The items with all their lines, and in their places the lines that are no part of them.
    """
    ends = _ends(lines, run)
    nested = _find_nested(run, [end == entry.code for entry, end in zip(run, ends, strict=True)])
    found: list[Entry] = []
    for entry, end, within in zip(run, ends, nested, strict=True):
        if within:
            found[-1] = found[-1].ending(end)
        else:
            found.append(entry.ending(end))
        if end < entry.loose:
            found.append(Entry(None, end, entry.loose, entry.loose, entry.loose))
        if max(end, entry.loose) < entry.code:
            code = max(end, entry.loose)
            found.append(Entry(None, code, code, code, entry.code))
    return found


def _ends(lines: Sequence[str], run: Sequence[Entry]) -> list[int]:
    """Tell after which line each item ends."""
    wrapped = [entry.loose > entry.end for entry in run]
    with_code = [entry.code > entry.loose for entry in run]
    least = _least(lines, run[:-1])
    ends, count = [], sum(wrapped[:-1])
    for place, entry in enumerate(run):
        end, last = entry.end, place == len(run) - 1
        others = count - (wrapped[place] and not last)
        if wrapped[place]:
            if others and others == len(run) - 1 - (not last):
                end = _own(lines, entry, least) if last else entry.loose
            elif not last and _goes_on(lines, entry):
                end = entry.loose
        if with_code[place] and end == entry.loose and (not last or any(with_code[:-1])):
            end = entry.code
        ends.append(end)
    return ends


def _least(lines: Sequence[str], earlier: Sequence[Entry]) -> int:
    """Tell how many lines the last item has at least: as many as any other, if one has a sentence end in them."""
    ended = any(ends_a_sentence(lines[number - 1]) for entry in earlier for number in range(entry.end, entry.loose))
    return max((entry.loose - entry.end for entry in earlier), default=0) if ended else 0


def _own(lines: Sequence[str], entry: Entry, least: int) -> int:
    """End the last item where a sentence ends: what follows asks something of its own."""
    for number in range(entry.end + least, entry.loose):
        if ends_a_sentence(lines[number - 1]):
            return number
    return entry.loose


def _goes_on(lines: Sequence[str], entry: Entry) -> bool:
    """Tell whether the line without indentation goes on in the middle of a sentence."""
    return lines[entry.end][:1].islower() and not ends_a_sentence(lines[entry.end - 1])


def _find_nested(run: Sequence[Entry], whole: Sequence[bool]) -> list[bool]:
    """Tell which items lie within the one before: those of another kind, between two that count on.

    Args:
        run: Items that stand one after another.
        whole: Whether nothing stands between an item and the next.
    """
    markers = [entry.marker for entry in run if entry.marker is not None]
    following: list[Marker | None] = []
    seen: dict[tuple[str, ...], Marker] = {}
    for marker in reversed(markers):
        following.append(seen.get(marker.kind))
        seen[marker.kind] = marker
    following.reverse()
    within = [False] * len(markers)
    inner: set[tuple[str, ...]] = set()
    head = 0
    for place in range(1, len(markers)):
        one, other, after = markers[head], markers[place], following[head]
        differs = one.kind != other.kind and bool(one.values or other.values)
        between = after is not None and follows(one, after)
        within[place] = whole[place - 1] and (
            (differs and (between or other.kind in inner)) or (one.kind != other.kind and other.indent > one.indent)
        )
        if within[place]:
            inner.add(other.kind)
        else:
            head = place
    return within

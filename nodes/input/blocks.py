"""The blocks of a question: prose, the items of its lists, and what stays whole, such as code (pure).

Markdown's structure is read by a Markdown parser, from a copy of the text in which every kind of list marker is
written as Markdown's own; the blocks are cut out of the text itself, line by line.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from nodes.input.lists import Entry, lay_out
from nodes.input.markers import Marker, item_markers

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_LISTLIKE = re.compile(r"[ \t]*(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$)")
_FENCE = re.compile(r"`{3,}[^`]*$|~{3,}")
_WHOLE = re.compile(r"```|~~~|\||^[ \t]*(?:[-*_][ \t]*){3,}$", re.MULTILINE)
"""What a text must hold for some of its lines to be code, tables or rulers; most hold none, and are parsed once."""
_CODE_INDENT = 4
_PROSE = ("paragraph_open", "heading_open", "hr")


class Block(NamedTuple):
    """A stretch of whole lines."""

    text: str
    marker: str = ""
    """What it begins with, if it is an item of a list."""
    prose: bool = False
    """Whether it may be split into sentences."""


class _Span(NamedTuple):
    kind: str
    start: int
    end: int


def blocks(text: str) -> list[Block]:
    """Cut a text into blocks; no line is lost but blank ones."""
    lines = [line if line.strip() else "" for line in text.split("\n")]
    kept = {
        number
        for span in (_spans(lines) if _WHOLE.search(text) else ())
        if span.kind in ("fence", "hr", "table_open")
        for number in range(span.start, span.end)
    }
    markers = item_markers(lines, kept)
    copy = [_copy_line(line, markers.get(number), number in kept) for number, line in enumerate(lines)]
    return list(_blocks(lines, _top_level(copy), markers, kept))


def _blocks(
    lines: Sequence[str], spans: Sequence[_Span], markers: dict[int, Marker], kept: set[int]
) -> Iterator[Block]:
    run: list[Entry] = []
    done = 0
    for span in spans:
        if any(lines[done : span.start]):
            yield from _list_entries(lines, run)
            yield from _prose(lines, done, span.start)
        done = span.end
        if span.kind == "list_item_open" and span.start in markers:
            run.append(_entry(lines, span, markers, kept))
        elif span.kind == "fence" and run:
            run[-1] = run[-1].with_code(span.end)
        else:
            yield from _list_entries(lines, run)
            if span.kind in _PROSE:
                yield from _prose(lines, span.start, span.end)
            else:
                yield Block(_cut(lines, span.start, span.end))
    yield from _list_entries(lines, run)
    if any(lines[done:]):
        yield from _prose(lines, done, len(lines))


def _entry(lines: Sequence[str], span: _Span, markers: dict[int, Marker], kept: set[int]) -> Entry:
    """Find where an item's own lines end: at one that is not indented and starts no item."""
    marker = markers[span.start]
    end = span.end
    for number in range(span.start + 1, span.end):
        if lines[number] and number not in markers and number not in kept and _indent(lines[number]) <= marker.indent:
            end = number
            break
    return Entry(marker, span.start, end, span.end, span.end)


def _list_entries(lines: Sequence[str], run: list[Entry]) -> Iterator[Block]:
    """Yield the items of a list and what only looked like a part of them, and forget them."""
    for entry in lay_out(lines, run):
        if entry.marker is not None:
            yield Block(_cut(lines, entry.start, entry.end), marker=entry.marker.text)
        elif entry.code > entry.loose:
            yield Block(_cut(lines, entry.start, entry.code))
        else:
            yield from _prose(lines, entry.start, entry.end)
    run.clear()


def _prose(lines: Sequence[str], start: int, end: int) -> Iterator[Block]:
    indented = all(_indent(line) >= _CODE_INDENT for line in lines[start:end] if line)
    text = _cut(lines, start, end)
    if text.strip():
        yield Block(text, prose=not indented)


def _cut(lines: Sequence[str], start: int, end: int) -> str:
    return "\n".join(lines[start:end]).rstrip()


def _indent(line: str) -> int:
    return len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())


def _copy_line(line: str, marker: Marker | None, kept: bool) -> str:
    """Write a line for the parser: markers as `-`, and nothing else that looks like one."""
    if kept or not line:
        return line
    if marker is None:
        return line if not _LISTLIKE.match(line) else line[: len(line) - len(line.lstrip())] + "x"
    rest = line[marker.width :]
    return f"{' ' * marker.indent}- {rest if _FENCE.match(rest) else 'x'}"


def _top_level(lines: Sequence[str]) -> list[_Span]:
    """List the blocks that lie in no other; a list as its items."""
    found: list[_Span] = []
    depth = 0
    for token in _parser().parse("\n".join(lines)):
        depth += min(token.nesting, 0)
        item = depth == 1 and token.type == "list_item_open"
        if token.map and token.nesting >= 0 and (item or (depth == 0 and not token.type.endswith("list_open"))):
            found.append(_Span(token.type, *token.map))
        depth += max(token.nesting, 0)
    return found


def _spans(lines: Sequence[str]) -> list[_Span]:
    return [_Span(token.type, *token.map) for token in _parser().parse("\n".join(lines)) if token.map]


@lru_cache(maxsize=1)
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    # Lists may stand as deep as they like, and what looks like HTML is text.
    parser = MarkdownIt("commonmark").enable("table").disable(["code", "html_block", "reference", "lheading"])
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser

"""How pieces of the input stand in a prompt (pure).

Their text is data: it neither opens nor closes a tag of ours, and it starts no line of our lists.
"""

import json
import re
from collections.abc import Iterable, Sequence

from nodes.input.segments import Segment
from nodes.llm.replies.text import shorten
from nodes.shared.cleaning import one_line

MAX_EXCERPT_CHARACTERS = 400
"""Characters of a document that the planner sees: enough to know what it is about."""
MAX_EXCERPTS_CHARACTERS = 12_000
"""Characters of all excerpts, so that planning over many documents stays short."""

_TAG, _HARMLESS = re.compile(r"<(?=\s*(?:/\s*)?document\b)", re.IGNORECASE), r"<\\"
_NUMBERED_LINE = re.compile(r"^([^\S\n]*)(?=\[\d)", re.MULTILINE)
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
_BRACKETS = str.maketrans("<>", "‹›")


def whole(segments: Iterable[Segment]) -> str:
    """Write segments out whole: what was asked as it stands, documents between tags."""
    return "\n".join(segment.text if segment.kind == "question" else _tag(segment) for segment in segments)


def _tag(segment: Segment) -> str:
    return f"<document {_name(segment)}>\n{_TAG.sub(_HARMLESS, segment.text)}\n</document>"


def json_line(value: object) -> str:
    """Write a value as JSON that is one line, whatever a reader takes for the end of one."""
    return json.dumps(value, ensure_ascii=False).translate(_LINE_ENDS)


def _name(segment: Segment) -> str:
    """A document's name on one line and without brackets, so that it neither ends its tag nor starts another."""
    return one_line(segment.label.translate(_BRACKETS))


def by_number(segments: Sequence[Segment]) -> str:
    """Write the question's segments out, a line each, and name the documents in one line after them, all by number.

    On lines of their own, documents look like more of what is asked: small models went on counting.
    """
    asked = [_by_number(item) for item in segments if item.kind == "question"]
    documents = [f"{item.number} {_name(item).replace(',', ' ')}" for item in segments if item.kind != "question"]
    return "\n".join([*asked, f"Documents: {', '.join(documents)}"] if documents else asked)


def _by_number(segment: Segment) -> str:
    """A segment of the question with its number; what only introduces a list has none, since small models name it."""
    return _own(f"\n{segment.text}")[1:] if segment.introduces else f"[{segment.number}] {_own(segment.text)}"


def _own(text: str) -> str:
    """Mark the lines of a text that look like those of the list in which it stands."""
    first, newline, rest = text.partition("\n")
    return first + newline + _NUMBERED_LINE.sub(r"\1\\", rest)


def overview(segments: list[Segment]) -> str:
    """Write the question's segments out and an excerpt of each document, all by number.

    An excerpt is a string of JSON, so that whatever it holds stays on the line of its document.
    """
    documents = sum(segment.kind != "question" for segment in segments)
    room = min(MAX_EXCERPT_CHARACTERS, MAX_EXCERPTS_CHARACTERS // max(1, documents))
    lines = []
    for segment in segments:
        if segment.kind == "question":
            lines.append(_by_number(segment))
        else:
            head = json_line(shorten(segment.text, room)) if room >= 40 else ""
            lines.append(f"[{segment.number}] Document {_name(segment)} ({len(segment.text):,} characters): {head}")
    return "\n".join(lines)
